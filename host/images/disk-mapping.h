/* A block device that is larger than the disk it shall hold: the guest is shown as much of it
 * as the disk has, through the device mapper. Neither libxl nor QEMU's PV backend has a word for
 * that, and the guest must not see more after it was started anew either.
 */
#ifndef XMIG_HOST_IMAGES_DISK_MAPPING_H
#define XMIG_HOST_IMAGES_DISK_MAPPING_H

#include <stdint.h>

#include "xmig/error.h"
#include "xmig/loop.h"

/* "/dev/mapper/xmig-ID-DISK": our id is in it, so it is nobody else's. The caller frees it. */
char *disk_mapping_path(const char *id, const char *disk);

/* What makes it, for a shell. The caller frees it. */
char *disk_mapping_command(const char *path, const char *device, uint64_t size);

/* Is there a dmsetup here to make it with? */
bool disk_mapping_check(struct error *err);

/* Show the first `size` bytes of `device` as `path`; take that away again, if it is there. */
bool disk_mapping_create(struct loop *loop, const char *path, const char *device, uint64_t size,
                         struct error *err);
bool disk_mapping_remove(struct loop *loop, const char *path, struct error *err);

#endif

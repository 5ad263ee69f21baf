/* A logical volume that is made for a disk at the target: --create-volumes. It bears our id as a
 * tag, by which it is known when it has to be removed.
 */
#ifndef XMIG_HOST_IMAGES_DISK_VOLUME_H
#define XMIG_HOST_IMAGES_DISK_VOLUME_H

#include <stdint.h>

#include "xmig/loop.h"

/* "/dev/GROUP/VM.DISK"; NULL: LVM has no such names. The caller frees it. */
char *disk_volume_path(const char *group, const char *vm, const char *disk, struct error *err);

/* Can a volume of exactly `size` bytes be made at `path`, which the source has chosen? Touches
 * nothing.
 */
bool disk_volume_check(struct loop *loop, const char *path, uint64_t size, struct error *err);

bool disk_volume_create(struct loop *loop, const char *id, const char *path, uint64_t size,
                        struct error *err);

/* Remove the volume at `path` if migration `id` has made it. */
bool disk_volume_remove(struct loop *loop, const char *id, const char *path, struct error *err);

#endif

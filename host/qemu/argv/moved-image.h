/* What opens the image of a disk that moves: a -drive, or a row of -blockdev, each rewritten to
 * open the disk's image at the target.
 */
#ifndef XMIG_HOST_QEMU_ARGV_MOVED_IMAGE_H
#define XMIG_HOST_QEMU_ARGV_MOVED_IMAGE_H

#include "qmp/argv/image-place.h"
#include "host/qemu/argv/rewriters.h"

/* "raw" or "qcow2"; NULL: xmig makes no other. */
const char *moved_image_known_format(const char *name);

/* The disk's image has this format at the source's command line; at the target a block device holds
 * it raw. False: two options open the same image.
 */
bool moved_image_claim(struct argv_disk *disk, const char *format, struct error *err);

/* Open the claimed disk's image at the target, by the driver that fits it. */
void moved_image_open(struct keyvals *kv, const struct image_place *place, struct argv_disk *disk);

/* The same for nodes that lie above a -blockdev which does. */
void moved_image_lie_above(struct keyvals *kv, const struct image_place *place,
                           struct argv_disk *disk);

#endif

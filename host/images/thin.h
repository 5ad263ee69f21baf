/* A thin disk has room for more than it holds. How much will be written at the target, and does
 * its image stay thin there?
 */
#ifndef XMIG_HOST_IMAGES_THIN_H
#define XMIG_HOST_IMAGES_THIN_H

#include "host/images/disk-images.h"

/* At the source: the bytes of an image, and of all beneath it, that hold data. Those it has
 * allocated may be fewer, for it may be compressed, or more, for its snapshots count, too.
 * `allocated` when they cannot be counted within some seconds.
 */
uint64_t thin_measure(struct loop *loop, const char *format, const char *path, uint64_t allocated);

/* At the target: why will the image of this disk be allocated in full? NULL: it stays thin. */
const char *thin_why_full(const struct disk_images *images, const struct disk_params *disk);

/* At the target: what it will take. */
uint64_t thin_needs(const struct disk_images *images, const struct disk_params *disk);

#endif

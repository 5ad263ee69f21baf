/* The end of disk images: the names by which they are found then, and what keeps them from it. */
#ifndef XMIG_HOST_IMAGES_DISK_DISCARD_H
#define XMIG_HOST_IMAGES_DISK_DISCARD_H

#include "host/images/disk-images.h"

/* What an image is called until it is complete. The caller frees it. */
char *disk_images_partial(const struct disk_images *images, const char *path);

/* Give the block devices up that are held. */
void disk_images_let_go(struct disk_images *images);

#endif

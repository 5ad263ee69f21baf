/* A block device (an LVM volume, a partition) that shall hold a disk at the target. */
#ifndef XMIG_HOST_IMAGES_DISK_DEVICE_H
#define XMIG_HOST_IMAGES_DISK_DEVICE_H

#include "host/images/disk-params.h"

/* Both sides know a block device by its path, which lies below /dev. What lies in /dev/shm is a
 * file like any other.
 */
bool disk_device_is(const char *path);

/* May the block device that is the disk's `image` hold it? It must be large enough, in nobody's
 * use, and without data, unless that may be overwritten. Touches nothing.
 */
bool disk_device_check(const struct disk_params *disk, struct error *err);

/* Is it, which may hold the disk, larger than that? */
bool disk_device_exceeds(const struct disk_params *disk);

#endif

/* A block device (an LVM volume, a partition) that shall hold a disk at the target. */
#ifndef XMIG_HOST_IMAGES_DISK_DEVICE_H
#define XMIG_HOST_IMAGES_DISK_DEVICE_H

#include "host/images/disk-params.h"

/* Both sides know a block device by its path, which lies below /dev. What lies in /dev/shm is a
 * file like any other.
 */
bool disk_device_is(const char *path);

/* May the block device that is the disk's `image` hold it? It must be large enough, in nobody's
 * use, and without data, unless that may be overwritten. Touches nothing. `by_mapping`: the device
 * mapper has to show the guest less of a larger one.
 */
bool disk_device_check(const struct disk_params *disk, bool by_mapping, struct error *err);

/* Open the device so that nobody can mount it, or make anything of it, as long as it is open; -1:
 * somebody has.
 */
int disk_device_hold(const char *path, struct error *err);

/* Is it, which may hold the disk, larger than that? */
bool disk_device_exceeds(const struct disk_params *disk);

#endif

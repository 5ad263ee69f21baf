/* A block device (an LVM volume, a partition) that shall hold a disk at the target. */
#ifndef XMIG_HOST_IMAGES_DISK_DEVICE_H
#define XMIG_HOST_IMAGES_DISK_DEVICE_H

#include "xmig/json.h"

/* Both sides know a block device by its path, which lies below /dev. What lies in /dev/shm is a
 * file like any other.
 */
bool disk_device_is(const char *path);

/* May it hold `disk`? It must be large enough, in nobody's use, and without data, unless the
 * parameters say that what it holds may be overwritten. Touches nothing.
 */
bool disk_device_check(const char *path, const cJSON *disk, struct error *err);

/* Is it, which may hold it, larger than `disk`? */
bool disk_device_exceeds(const char *path, const cJSON *disk);

#endif

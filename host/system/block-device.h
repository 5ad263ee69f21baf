/* By what the kernel knows a block device. */
#ifndef XMIG_HOST_SYSTEM_BLOCK_DEVICE_H
#define XMIG_HOST_SYSTEM_BLOCK_DEVICE_H

#include <stddef.h>
#include <sys/types.h>

#include "xmig/json.h"

/* What is the same on every host that sees the device, and after each boot: the UUID of an LVM
 * volume, a WWID. "": it has none.
 */
void block_device_identity(dev_t device, char *identity, size_t size);

/* Its size, and that of its sectors, in bytes; an error if `path` leads to no block device. */
bool block_device_size(const char *path, uint64_t *size, uint64_t *sector, struct error *err);

/* Add to a fact what the open device is known by: its numbers, its place in the order in which the
 * kernel has met disks, and its identity.
 */
bool block_device_add(cJSON *fact, int fd, struct error *err);

/* Does `path` lead to the device of the fact? */
bool block_device_has(const char *path, const cJSON *fact);

#endif

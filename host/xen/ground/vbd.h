/* Which block devices dom0's kernel has open for guests' disks, as its backend tells in sysfs:
 * names in xenstore may lead to other devices by now.
 */
#ifndef XMIG_HOST_XEN_GROUND_VBD_H
#define XMIG_HOST_XEN_GROUND_VBD_H

#include <stdint.h>
#include <sys/types.h>

#include "xmig/error.h"

/* Where they are; tests have their own. */
#define VBD_DEVICES "/sys/bus/xen-backend/devices"

/* The device of disk `id` ("51712") of a domain; false: the kernel has none open for it. */
bool vbd_device(const char *devices, uint32_t domid, const char *id, dev_t *device);

/* Does the kernel serve this device to a domain other than `but`? */
bool vbd_has_other(const char *devices, dev_t device, uint32_t but, uint32_t *domid);

/* Is what the kernel has open for the disk the device at `path`? `err` names both. */
bool vbd_is_at(const char *devices, uint32_t domid, const char *id, const char *path,
               struct error *err);

#endif

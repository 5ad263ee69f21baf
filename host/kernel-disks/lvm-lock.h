/* Keeping LVM's changing commands off a volume group, by the lock that they take themselves. */
#ifndef XMIG_HOST_KERNEL_DISKS_LVM_LOCK_H
#define XMIG_HOST_KERNEL_DISKS_LVM_LOCK_H

#include <stdint.h>

#include "xmig/error.h"

/* Is this the lock that LVM's commands take? Not if another is configured, or a daemon has the
 * locks. Refuses. `root` is "", or where a test has the system's files.
 */
bool lvm_lock_is_lvms(const char *root, struct error *err);

/* Hold the group's lock with others who only read, until the descriptor is closed. -1: a command
 * that changes the group has had it for `timeout_ms`, or it cannot be opened.
 */
int lvm_lock_hold(const char *group, uint64_t timeout_ms, struct error *err);

#endif

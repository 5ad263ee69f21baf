/* How a hypervisor is found, and its guests and copies are made. host/hypervisors.c */
#ifndef XMIG_HYPERVISOR_CALLS_H
#define XMIG_HYPERVISOR_CALLS_H

#include "xmig/hypervisor.h"

/* NULL: no such hypervisor in this build. */
const struct hypervisor *hypervisor_find(const char *name);

/* Which hypervisor does "VM" mean: the word before ':' if it is a hypervisor's name, else
 * the one hypervisor that knows it. `*rest` is the VM's name without the hypervisor's.
 */
const struct hypervisor *hypervisor_for_vm(const char *vm, const char **rest, struct error *err);

bool hypervisor_available(const struct hypervisor *hypervisor, struct error *err);

/* A new guest or copy; guest_free() or copy_free() frees it. NULL: not available here. */
struct guest *hypervisor_guest(const struct hypervisor *hypervisor,
                               const struct vm_context *context, struct error *err);
struct copy *hypervisor_copy(const struct hypervisor *hypervisor, const struct vm_context *context,
                             struct error *err);

#endif

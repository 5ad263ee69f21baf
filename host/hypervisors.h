/* Each hypervisor's table, for hypervisor-table.c. */
#ifndef XMIG_HOST_HYPERVISORS_H
#define XMIG_HOST_HYPERVISORS_H

#include "xmig/hypervisor.h"

extern const struct hypervisor xen_hypervisor;
extern const struct hypervisor qemu_hypervisor;
extern const struct hypervisor simulated_hypervisor;

#endif

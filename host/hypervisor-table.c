/* The hypervisors of this build. */
#include "host/hypervisors.h"

const struct hypervisor *const hypervisor_table[] = {
    &xen_hypervisor,
    &qemu_hypervisor,
    &simulated_hypervisor,
    NULL,
};

/* The simulated hypervisor: VMs that are structs. It lets the whole pipeline, its
 * sessions, lanes, journals and commit protocol run where there is nothing to migrate:
 * for `xmig send --simulate`, and for most of the tests.
 */
#include "simulated.h"

#include "host/hypervisors.h"

const struct hypervisor simulated_hypervisor = {
    .name = "simulated",
    .made_up = true,
    .summary = "VMs that are only made up, for --simulate",
    .guest_new = simulated_guest_new,
    .copy_new = simulated_copy_new,
};

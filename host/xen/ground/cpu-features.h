/* What a guest's processor was promised to be able to do, and another host's cannot. Xen itself
 * takes it from a guest that comes, without a word, though the guest uses it.
 */
#ifndef XMIG_HOST_XEN_GROUND_CPU_FEATURES_H
#define XMIG_HOST_XEN_GROUND_CPU_FEATURES_H

#include <stdint.h>

#include <xenctrl.h>

#include "xmig/error.h"

/* A CPU policy as Xen serialises it. */
struct cpu_leaves {
    const xen_cpuid_leaf_t *leaf;
    uint32_t count;
};

/* Can `host`, the most that a guest could be promised there, do all that `guest` was? */
bool cpu_features_fit(struct cpu_leaves guest, struct cpu_leaves host, struct error *err);

#endif

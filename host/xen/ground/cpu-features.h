/* Which CPU features was a guest promised that another host lacks? Xen itself takes them away
 * without a word when the guest arrives, though the guest uses them.
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

/* Does `host`, the most that a guest could be promised there, have all that `guest` was promised?
 */
bool cpu_features_fit(struct cpu_leaves guest, struct cpu_leaves host, struct error *err);

#endif

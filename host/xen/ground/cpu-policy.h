/* "cpu_policy" of the parameters: the processor that a guest was promised. */
#ifndef XMIG_HOST_XEN_GROUND_CPU_POLICY_H
#define XMIG_HOST_XEN_GROUND_CPU_POLICY_H

#include "host/xen/ground/connection.h"
#include "host/xen/params.h"

/* At the source: the two texts, which the caller frees. */
bool cpu_policy_read(struct xen *xen, char **leaves, char **msrs, struct error *err);
/* At the target: can this host's processors do all of it? */
bool cpu_policy_check(struct xen *xen, const struct xen_cpu_policy *policy, struct error *err);

#endif

/* "cpu_policy" of the parameters: the processor that a guest was promised. */
#ifndef XMIG_HOST_XEN_GROUND_CPU_POLICY_H
#define XMIG_HOST_XEN_GROUND_CPU_POLICY_H

#include "host/xen/ground/connection.h"

/* At the source: add it to `out`. */
bool cpu_policy_read(struct xen *xen, cJSON *out, struct error *err);
/* At the target: can this host's processors do all of it? */
bool cpu_policy_check(struct xen *xen, const cJSON *policy, struct error *err);

#endif

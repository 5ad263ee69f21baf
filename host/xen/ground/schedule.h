/* "schedule" of the parameters: a domain's share of the processors. */
#ifndef XMIG_HOST_XEN_GROUND_SCHEDULE_H
#define XMIG_HOST_XEN_GROUND_SCHEDULE_H

#include "host/xen/ground/connection.h"

/* At the source: add it to `out`. */
void schedule_read(struct xen *xen, cJSON *out);
/* At the target. */
bool schedule_write(struct xen *xen, const cJSON *schedule, struct error *err);

#endif

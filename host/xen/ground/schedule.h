/* "schedule" of the parameters: a domain's share of the processors. */
#ifndef XMIG_HOST_XEN_GROUND_SCHEDULE_H
#define XMIG_HOST_XEN_GROUND_SCHEDULE_H

#include "host/xen/ground/connection.h"
#include "host/xen/params.h"

/* At the source. */
void schedule_read(struct xen *xen, struct xen_schedule *out);
/* At the target. */
bool schedule_write(struct xen *xen, const struct xen_schedule *schedule, struct error *err);

#endif

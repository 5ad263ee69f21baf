/* A domain's share of the processors. Each scheduler has parameters of its own: if the target uses
 * another scheduler, the copy gets its defaults.
 */
#include "host/xen/ground/schedule.h"

static void read_credit(struct xen *xen, struct xen_schedule *out)
{
    struct xen_domctl_sched_credit share;

    if (xc_sched_credit_domain_get(xen->xc, xen->domid, &share) < 0)
        return;
    out->weight = share.weight;
    out->cap = share.cap;
}

static void read_credit2(struct xen *xen, struct xen_schedule *out)
{
    struct xen_domctl_sched_credit2 share;

    if (xc_sched_credit2_domain_get(xen->xc, xen->domid, &share) < 0)
        return;
    out->weight = share.weight;
    out->cap = share.cap;
}

void schedule_read(struct xen *xen, struct xen_schedule *out)
{
    int id;

    *out = (struct xen_schedule){ .scheduler = XEN_SCHEDULER_UNKNOWN };
    if (xc_sched_id(xen->xc, &id) < 0)
        return;
    out->scheduler = (uint64_t)id;
    if (id == XEN_SCHEDULER_CREDIT)
        read_credit(xen, out);
    else if (id == XEN_SCHEDULER_CREDIT2)
        read_credit2(xen, out);
}

bool schedule_write(struct xen *xen, const struct xen_schedule *schedule, struct error *err)
{
    uint16_t weight = (uint16_t)schedule->weight, cap = (uint16_t)schedule->cap;
    struct xen_domctl_sched_credit credit = { .weight = weight, .cap = cap };
    struct xen_domctl_sched_credit2 credit2 = { .weight = weight, .cap = cap };
    int id, status = 0;

    if (weight == 0 || xc_sched_id(xen->xc, &id) < 0 || (uint64_t)id != schedule->scheduler)
        return true;
    if (id == XEN_SCHEDULER_CREDIT)
        status = xc_sched_credit_domain_set(xen->xc, xen->domid, &credit);
    else if (id == XEN_SCHEDULER_CREDIT2)
        status = xc_sched_credit2_domain_set(xen->xc, xen->domid, &credit2);
    return status == 0 || xen_fail(xen, err, "cannot give the domain its share of the processors");
}

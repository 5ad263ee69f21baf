/* A domain's share of the processors. Each scheduler has parameters of its own: if the target uses
 * another scheduler, the copy gets its defaults.
 */
#include "host/xen/ground/schedule.h"

static void read_credit(struct xen *xen, cJSON *out)
{
    struct xen_domctl_sched_credit share;

    if (xc_sched_credit_domain_get(xen->xc, xen->domid, &share) < 0)
        return;
    json_add_uint(out, "weight", share.weight);
    json_add_uint(out, "cap", share.cap);
}

static void read_credit2(struct xen *xen, cJSON *out)
{
    struct xen_domctl_sched_credit2 share;

    if (xc_sched_credit2_domain_get(xen->xc, xen->domid, &share) < 0)
        return;
    json_add_uint(out, "weight", share.weight);
    json_add_uint(out, "cap", share.cap);
}

void schedule_read(struct xen *xen, cJSON *params)
{
    cJSON *out = cJSON_AddObjectToObject(params, "schedule");
    int id;

    if (xc_sched_id(xen->xc, &id) < 0)
        return;
    json_add_uint(out, "scheduler", (uint64_t)id);
    if (id == XEN_SCHEDULER_CREDIT)
        read_credit(xen, out);
    else if (id == XEN_SCHEDULER_CREDIT2)
        read_credit2(xen, out);
}

bool schedule_write(struct xen *xen, const cJSON *schedule, struct error *err)
{
    uint16_t weight = (uint16_t)json_uint_or(schedule, "weight", 0);
    uint16_t cap = (uint16_t)json_uint_or(schedule, "cap", 0);
    struct xen_domctl_sched_credit credit = { .weight = weight, .cap = cap };
    struct xen_domctl_sched_credit2 credit2 = { .weight = weight, .cap = cap };
    int id, status = 0;

    if (weight == 0 || xc_sched_id(xen->xc, &id) < 0 ||
        (uint64_t)id != json_uint_or(schedule, "scheduler", UINT64_MAX))
        return true;
    if (id == XEN_SCHEDULER_CREDIT)
        status = xc_sched_credit_domain_set(xen->xc, xen->domid, &credit);
    else if (id == XEN_SCHEDULER_CREDIT2)
        status = xc_sched_credit2_domain_set(xen->xc, xen->domid, &credit2);
    return status == 0 || xen_fail(xen, err, "cannot give the domain its share of the processors");
}

/* Stands for the Xen host in a build without Xen's libraries. */
#include "host/hypervisors.h"
#include "host/xen/monitor/monitor.h"

static bool available(struct error *err)
{
    return error_set(err, ERROR_REFUSED,
                     "this xmig was built without Xen: install one that has it, and ask again");
}

const struct hypervisor xen_hypervisor = {
    .name = "xen",
    .summary = "HVM guests of Xen (not in this build)",
    .available = available,
};

bool monitor_run(struct loop *loop, const char *domain, const struct event_sink *events,
                 struct error *err)
{
    (void)loop;
    (void)domain;
    (void)events;
    return available(err);
}

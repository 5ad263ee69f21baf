/* Xen: HVM and PVH guests with an unmodified toolstack and device model, moved with libxenctrl,
 * libxenguest and libxenstore. README.md says what each file is for.
 */
#include "host/xen/xen.h"

#include "host/xen/copy/copy.h"
#include "host/xen/ground/domain.h"
#include "host/xen/guest/guest.h"
#include "host/xen/monitor/monitor.h"

static bool knows(const char *name)
{
    struct xen xen;
    uint32_t domid;
    bool found;

    xen_init(&xen, NULL);
    found = xen_open(&xen, NULL) && domain_find(xen.xc, xen.xs, name, &domid);
    xen_done(&xen);
    return found;
}

static void vms(cJSON *names)
{
    struct xen xen;

    xen_init(&xen, NULL);
    if (xen_open(&xen, NULL))
        domain_names(xen.xc, xen.xs, names);
    xen_done(&xen);
}

const struct hypervisor xen_itself = {
    .name = "xen",
    .summary = "HVM and PVH guests of Xen, with their local disks",
    .sends_every_page = true,
    .knows = knows,
    .vms = vms,
    .guest_new = xen_guest_new,
    .copy_new = xen_copy_new,
    .monitor = monitor_run,
};

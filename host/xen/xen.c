/* Xen: HVM guests with an unmodified toolstack and device model, moved with libxenctrl, libxenguest
 * and libxenstore. README.md says what each file is for.
 */
#include "host/xen/copy/copy.h"
#include "host/xen/ground/domain.h"
#include "host/xen/guest/guest.h"

static bool knows(const char *name)
{
    struct xen xen;
    uint32_t domid;
    bool found;

    if (!xen_available(NULL))
        return false;
    xen_init(&xen, NULL);
    found = xen_open(&xen, NULL) && domain_find(xen.xc, xen.xs, name, &domid);
    xen_done(&xen);
    return found;
}

static void vms(cJSON *names)
{
    struct xen xen;

    if (!xen_available(NULL))
        return;
    xen_init(&xen, NULL);
    if (xen_open(&xen, NULL))
        domain_names(xen.xc, xen.xs, names);
    xen_done(&xen);
}

const struct hypervisor xen_hypervisor = {
    .name = "xen",
    .summary = "HVM guests of Xen, with their local disks",
    .sends_every_page = true,
    .available = xen_available,
    .knows = knows,
    .vms = vms,
    .guest_new = xen_guest_new,
    .copy_new = xen_copy_new,
};

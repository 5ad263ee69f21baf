/* Xen in the table of hypervisors: all of it is in a plugin, which is loaded on Xen hosts only, and
 * when something is asked of it.
 */
#include "host/hypervisors.h"
#include "host/plugin.h"
#include "host/system/xen-host.h"

static const struct hypervisor *load(struct error *err)
{
    return xen_host_check(err) ? plugin_load(XMIG_PLUGIN_DIR "/hypervisor-xen.so", "xmig-xen", err)
                               : NULL;
}

static bool available(struct error *err)
{
    return load(err) != NULL;
}

/* Claimed where Xen runs and the plugin is not to be had, so that a later error says so. */
static bool knows(const char *name)
{
    const struct hypervisor *xen = load(NULL);

    return xen ? xen->knows(name) : xen_host_check(NULL);
}

static void vms(cJSON *names)
{
    const struct hypervisor *xen = load(NULL);

    if (xen)
        xen->vms(names);
}

static struct guest *guest_new(void)
{
    return load(NULL)->guest_new();
}

static struct copy *copy_new(void)
{
    return load(NULL)->copy_new();
}

static bool monitor(struct loop *loop, const char *domain, const struct event_sink *events,
                    struct error *err)
{
    const struct hypervisor *xen = load(err);

    return xen && xen->monitor(loop, domain, events, err);
}

const struct hypervisor xen_hypervisor = {
    .name = "xen",
    .summary = "HVM and PVH guests of Xen, with their local disks",
    .sends_every_page = true,
    .available = available,
    .knows = knows,
    .vms = vms,
    .guest_new = guest_new,
    .copy_new = copy_new,
    .monitor = monitor,
};

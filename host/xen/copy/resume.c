/* After the handover: give the guest its name, let it run, join it to its networks. */
#include "host/xen/copy/copy.h"
#include "host/xen/ground/domain.h"

bool xen_before_resume(struct copy *copy, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);

    return domain_rename(&vm->xen, vm->name, err);
}

/* ERROR_SYSTEM before the unpause: until then no vCPU has run, provably. */
bool xen_copy_resume(struct copy *copy, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);

    if (!device_model_goes_on(vm, err)) {
        err->kind = ERROR_SYSTEM;
        return error_prefix(err, "the device model");
    }
    if (xc_domain_unpause(vm->xen.xc, vm->xen.domid) < 0)
        return xen_fail(&vm->xen, err, "cannot unpause the domain");
    return true;
}

/* The scripts take longer than all else, so the guest already runs meanwhile. */
static void join_networks(struct xen_copy *vm)
{
    struct error err = { 0 };

    announce_pv(vm);
    if (!hotplug_vifs(vm, HOTPLUG_TAP, &err))
        event_say(&vm->base.context.events, EVENT_WARNING, NULL,
                  "the guest runs, but is not joined to its network: %s", err.text);
    announce_emulated(vm);
}

void xen_after_resume(struct copy *copy)
{
    struct xen_copy *vm = xen_copy_of(copy);

    if (vm->xen.has_model && xen_connect(&vm->xen, QMP_CONNECT_MS, NULL))
        qmp_guard(vm->xen.q, false);
    join_networks(vm);
    xen_disconnect(&vm->xen);
    child_release(steal(vm->child));
}

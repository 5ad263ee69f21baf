/* What happens to the domain's run state by another hand than ours: `xl unpause`, a resume. The
 * hypervisor counts the time that a domain's processors have run: of one that was never let go,
 * none.
 */
#include "host/xen/xen.h"

#include <stdio.h>

/* Sets *ns to the time it has run so far. False: it is gone, or another has its number. */
static bool time_run(struct xen *vm, uint64_t *ns)
{
    xc_domaininfo_t info;
    char uuid[XEN_UUID_SIZE];

    if (vm->domid == 0 || !domain_info(vm->xc, vm->domid, &info))
        return false;
    domain_uuid(&info, uuid);
    *ns = info.cpu_time;
    return !strcmp(uuid, vm->uuid);
}

void xen_source_watch(struct xen *vm)
{
    if (!time_run(vm, &vm->source.ran_ns))
        vm->source.ran_ns = 0;
}

bool xen_source_unchanged(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);
    uint64_t ns;

    if (vm->source.ran_ns == 0 || !time_run(vm, &ns))
        return error_set(err, ERROR_SYSTEM,
                         "whether the guest has run here since it was suspended cannot be told");
    if (domain_state(vm->xc, vm->domid, vm->uuid) == RUN_PAUSED && ns == vm->source.ran_ns)
        return true;
    return error_set(err, ERROR_REFUSED,
                     "somebody has let the domain run here after it was suspended to be handed "
                     "over");
}

/* What it has run is known to Xen as long as the domain is there: nothing to write down. */
void xen_remember_sealed(struct host *host, cJSON *facts)
{
    (void)host;
    (void)facts;
}

bool xen_copy_never_ran(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);
    uint64_t ns;

    if (!time_run(vm, &ns))
        return true;
    if (domain_state(vm->xc, vm->domid, vm->uuid) == RUN_RUNNING &&
        xc_domain_pause(vm->xc, vm->domid) < 0)
        return xen_fail(vm, err, "the copy here runs, and cannot be paused");
    if (time_run(vm, &ns) && ns == 0)
        return true;
    return error_set(err, ERROR_REFUSED, "somebody has let the copy here (domain %u) run",
                     vm->domid);
}

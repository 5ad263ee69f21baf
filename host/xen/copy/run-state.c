/* Does the copy run? Has it run before the handover? Has somebody started it again? */
#include "host/xen/copy/copy.h"

#include <stdio.h>

#include "host/xen/ground/domain.h"
#include "xmig/process.h"

/* A paused domain whose device model died cannot be resumed: report GONE. */
enum run_state xen_copy_state(struct copy *copy)
{
    struct xen_copy *vm = xen_copy_of(copy);
    enum run_state state = xen_state(&vm->xen);

    if (state == RUN_PAUSED && vm->xen.has_model && !process_lives(vm->pid, vm->start_time))
        return RUN_GONE;
    return state;
}

bool xen_copy_never_ran(struct copy *copy, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);
    uint64_t ns;

    if (!domain_time_run(&vm->xen, &ns))
        return true;
    if (xen_state(&vm->xen) == RUN_RUNNING && xc_domain_pause(vm->xen.xc, vm->xen.domid) < 0)
        return xen_fail(&vm->xen, err, "the copy here runs, and cannot be paused");
    if (domain_time_run(&vm->xen, &ns) && ns == 0)
        return true;
    return error_set(err, ERROR_REFUSED, "somebody has let the copy here (domain %u) run",
                     vm->xen.domid);
}

bool xen_copy_runs_again(struct copy *copy, char *who, size_t size)
{
    struct xen *xen = &xen_copy_of(copy)->xen;
    uint32_t domid;

    if (!xen->uuid[0] || !domain_find_uuid(xen->xc, xen->uuid, xen->domid, &domid) ||
        domain_state(xen->xc, domid, NULL) != RUN_RUNNING)
        return false;
    snprintf(who, size, "domain %u", domid);
    return true;
}

/* Is there another domain of this name or UUID? */
#include "host/xen/xen.h"

#include <stdio.h>

/* The target's copy on this very host has a name and a UUID of its own. */
bool xen_nobody_else(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);
    uint32_t domid;

    if (domain_find_copy(vm, &domid))
        return error_set(
            err, ERROR_REFUSED,
            "a second domain of the name or UUID of '%s' is on the source host (domain "
            "%u); the VM's own is domain %u",
            vm->source.name, domid, vm->domid);
    return true;
}

bool xen_runs_again(struct host *host, char *who, size_t size)
{
    struct xen *vm = xen_of(host);
    uint32_t domid;

    if (!vm->uuid[0] || !domain_find_uuid(vm->xc, vm->uuid, vm->domid, &domid) ||
        domain_state(vm->xc, domid, vm->uuid) != RUN_RUNNING)
        return false;
    snprintf(who, size, "domain %u", domid);
    return true;
}

/* Find the domain to be moved, and refuse at once one that cannot be moved. */
#include "host/xen/guest/guest.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include <xen/hvm/params.h>

#include "host/xen/ground/config.h"
#include "host/xen/ground/domain.h"
#include "host/xen/guest/movable.h"
#include "xmig/text.h"

/* Check movability first: domains that are refused may have no libxl configuration. */
static bool check_domain(struct xen_guest *vm, const xc_domaininfo_t *info, struct error *err)
{
    AUTO_FREE char *type = store_read(vm->xen.xs, "/libxl/%u/type", vm->xen.domid);
    AUTO_FREE char *model = store_read(vm->xen.xs, "/libxl/%u/dm-version", vm->xen.domid);
    AUTO_FREE char *stub =
        store_read(vm->xen.xs, "/local/domain/%u/image/device-model-domid", vm->xen.domid);
    struct domain_facts facts = {
        .type = type, .model = model, .has_stub = stub != NULL, .info = info, .config = vm->config
    };

    if (info->flags & XEN_DOMINF_hvm_guest &&
        xc_hvm_param_get(vm->xen.xc, vm->xen.domid, HVM_PARAM_ACPI_S_STATE, &facts.sleep_state) < 0)
        return xen_fail(&vm->xen, err, "cannot ask whether it sleeps");
    return check_movable(&facts, err);
}

static bool read_domain(struct xen_guest *vm, struct error *err)
{
    struct error why = { 0 };
    xc_domaininfo_t info;

    if (!domain_info(vm->xen.xc, vm->xen.domid, &info))
        return error_set(err, ERROR_REFUSED, "it is gone");
    domain_uuid(&info, vm->xen.uuid);
    vm->name = store_read(vm->xen.xs, "/local/domain/%u/name", vm->xen.domid);
    if (!vm->name)
        return error_set(err, ERROR_REFUSED, "it has no name in xenstore");
    vm->config = config_read(vm->xen.domid, vm->xen.uuid, &why);
    if (!check_domain(vm, &info, err))
        return false;
    if (!vm->config)
        *err = why;
    return vm->config != NULL;
}

/* The name lets libxl delete the lock file together with its own files of the domain. */
static bool take_lock(struct xen_guest *vm, struct error *err)
{
    AUTO_FREE char *path =
        formatted("/var/lib/xen/userdata-l.%u.%s.xmig-lock", vm->xen.domid, vm->xen.uuid);

    vm->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (vm->lock < 0)
        return error_set(err, ERROR_SYSTEM, "cannot open '%s': %m", path);
    if (flock(vm->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    cleanup_close(&vm->lock);
    vm->lock = -1;
    return error_set(err, ERROR_REFUSED,
                     "another xmig is at work on it: see 'xmig list' and 'xmig recover'");
}

void xen_guest_unlock(struct xen_guest *vm)
{
    AUTO_FREE char *path =
        formatted("/var/lib/xen/userdata-l.%u.%s.xmig-lock", vm->xen.domid, vm->xen.uuid);

    if (vm->lock < 0)
        return;
    unlink(path);
    cleanup_close(&vm->lock);
}

bool xen_attach(struct guest *guest, const char *name, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);
    uint32_t domid;

    if (!xen_open(&vm->xen, err))
        return false;
    xen_tracking_clean(vm);
    if (!domain_find(vm->xen.xc, vm->xen.xs, name, &domid))
        return error_set(err, ERROR_REFUSED, "Xen has no domain called '%s'", name);
    vm->xen.domid = domid;
    if (!read_domain(vm, err) || !take_lock(vm, err) || !guest_model_attach(vm, err))
        return error_prefix(err, "the domain '%s' cannot be moved", name);
    snprintf(guest->called, sizeof(guest->called), "%s", vm->name);
    return true;
}

/* What cannot be moved is refused at the source, each thing with its reason. */
#include "host/xen/xen.h"

#include <xen/hvm/params.h>

static bool refuse_type(struct xen *vm, const xc_domaininfo_t *info, struct error *err)
{
    AUTO_FREE char *type = store_read(vm->xs, "/libxl/%u/type", vm->domid);
    AUTO_FREE char *model = store_read(vm->xs, "/libxl/%u/dm-version", vm->domid);
    AUTO_FREE char *stub =
        store_read(vm->xs, "/local/domain/%u/image/device-model-domid", vm->domid);

    if (type && !strcmp(type, "pvh"))
        return error_set(err, ERROR_REFUSED,
                         "it is a PVH guest: only HVM guests can be moved with their disks");
    if (!(info->flags & XEN_DOMINF_hvm_guest) || (type && strcmp(type, "hvm") != 0))
        return error_set(err, ERROR_REFUSED,
                         "it is a PV guest: only HVM guests can be moved with their disks");
    if (!type || !model)
        return error_set(err, ERROR_REFUSED, "it was not made by libxl (xl)");
    if (strcmp(model, "qemu_xen") != 0)
        return error_set(err, ERROR_REFUSED, "its device model is '%s': only qemu_xen can be moved",
                         model);
    if (stub)
        return error_set(err, ERROR_REFUSED,
                         "its device model runs in a domain of its own "
                         "(stubdomain), which cannot be moved");
    return true;
}

static bool refuse_state(struct xen *vm, const xc_domaininfo_t *info, struct error *err)
{
    uint64_t sleep_state = 0;
    unsigned reason;

    if (info->flags & XEN_DOMINF_dying)
        return error_set(err, ERROR_REFUSED, "it is being destroyed");
    if (domain_is_shut_down(info, &reason))
        return error_set(err, ERROR_REFUSED,
                         reason == SHUTDOWN_suspend ? "it is suspended: somebody else is moving or "
                                                      "saving it, or has begun to"
                                                    : "it has been shut down");
    if (info->flags & XEN_DOMINF_paused)
        return error_set(err, ERROR_REFUSED, "it is paused: only a running VM is moved");
    if (xc_hvm_param_get(vm->xc, vm->domid, HVM_PARAM_ACPI_S_STATE, &sleep_state) < 0)
        return xen_fail(vm, err, "cannot ask whether it sleeps");
    if (sleep_state != 0)
        return error_set(err, ERROR_REFUSED, "it sleeps (ACPI S%d): wake it first",
                         (int)sleep_state);
    if (info->shr_pages || info->paged_pages)
        return error_set(err, ERROR_REFUSED, "it uses memory sharing or paging");
    return true;
}

static bool refuse_devices(const cJSON *config, struct error *err)
{
    static const struct {
        const char *member, *what;
    } lists[] = {
        { "pcidevs", "a PCI device of the host" },
        { "dtdevs", "a device of the host" },
        { "usbdevs", "a USB device of the host" },
        { "usbctrls", "a USB controller for devices of the host" },
        { "vtpms", "a virtual TPM" },
        { "p9", "a shared directory (9pfs)" },
        { "p9s", "a shared directory (9pfs)" },
        { "pvcallsifs", "PV calls" },
        { "vdispls", "a PV display" },
        { "vsnds", "a PV sound device" },
        { "channels", "a channel" },
        { "virtios", "a virtio device" },
    };

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (cJSON_GetArraySize(xen_get(config, lists[i].member)) > 0)
            return error_set(err, ERROR_REFUSED, "it has %s, which cannot be moved", lists[i].what);
    return true;
}

static bool is_on(const cJSON *config, const char *name)
{
    return !strcmp(json_string_or(config, name, "False"), "True");
}

static bool refuse_features(const cJSON *config, struct error *err)
{
    const cJSON *info = xen_get(config, "b_info");

    if (is_on(info, "nested_hvm") || is_on(xen_get(info, "type.hvm"), "nested_hvm"))
        return error_set(err, ERROR_REFUSED,
                         "it has nested virtualisation, whose state Xen cannot "
                         "save");
    if (is_on(info, "dm_restrict"))
        return error_set(err, ERROR_REFUSED,
                         "its device model is restricted (dm_restrict), which "
                         "xmig cannot do yet");
    return true;
}

bool source_refuse(struct xen *vm, struct error *err)
{
    xc_domaininfo_t info;

    if (!domain_info(vm->xc, vm->domid, &info))
        return error_set(err, ERROR_REFUSED, "it is gone");
    return refuse_type(vm, &info, err) && refuse_state(vm, &info, err) &&
           refuse_devices(vm->source.config, err) && refuse_features(vm->source.config, err);
}

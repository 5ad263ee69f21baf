/* Refuse, at the source, every property of a domain that cannot be moved, with its reason. */
#include "host/xen/guest/movable.h"

#include <string.h>

#include "host/xen/ground/config.h"

/* ---- what it is ---- */

static bool check_type(const struct domain_facts *facts, struct error *err)
{
    const char *type = facts->type;

    if (!(facts->info->flags & XEN_DOMINF_hvm_guest) || (type && !strcmp(type, "pv")))
        return error_set(err, ERROR_REFUSED,
                         "it is a PV guest: Xen tells which memory it writes to only by shadow "
                         "paging, which Debian's Xen is built without, so that it cannot be moved "
                         "live, by anything; most can be started as a PVH guest (type=\"pvh\"), "
                         "which can");
    if (!type || !facts->model)
        return error_set(err, ERROR_REFUSED, "it was not made by libxl (xl)");
    if (facts->config && strcmp(type, config_type(facts->config)) != 0)
        return error_set(err, ERROR_REFUSED,
                         "libxl notes it as '%s' in xenstore, and as '%s' in its configuration",
                         type, config_type(facts->config));
    if (strcmp(facts->model, "qemu_xen") != 0)
        return error_set(err, ERROR_REFUSED, "its device model is '%s': only qemu_xen can be moved",
                         facts->model);
    if (facts->has_stub)
        return error_set(err, ERROR_REFUSED,
                         "its device model runs in a domain of its own (stubdomain), which cannot "
                         "be moved");
    return true;
}

/* ---- how it is ---- */

static bool check_shutdown(const xc_domaininfo_t *info, struct error *err)
{
    unsigned reason = (info->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;

    if (!(info->flags & XEN_DOMINF_shutdown))
        return true;
    if (reason == SHUTDOWN_suspend)
        return error_set(err, ERROR_REFUSED,
                         "it is suspended: somebody else is moving or saving it, or has begun to "
                         "(see 'xmig list' and 'xl list')");
    return error_set(err, ERROR_REFUSED, "it has been shut down: only a running VM is moved");
}

static bool check_state(const struct domain_facts *facts, struct error *err)
{
    const xc_domaininfo_t *info = facts->info;

    if (info->flags & XEN_DOMINF_dying)
        return error_set(err, ERROR_REFUSED, "it is being destroyed");
    if (!check_shutdown(info, err))
        return false;
    if (info->flags & XEN_DOMINF_paused)
        return error_set(err, ERROR_REFUSED,
                         "it is paused: only a running VM is moved ('xl unpause' lets it run)");
    if (facts->sleep_state != 0)
        return error_set(err, ERROR_REFUSED, "it sleeps (ACPI S%d): wake it first",
                         (int)facts->sleep_state);
    if (info->shr_pages || info->paged_pages)
        return error_set(err, ERROR_REFUSED, "it uses memory sharing or paging");
    if (info->cpupool != 0)
        return error_set(err, ERROR_REFUSED,
                         "it is in CPU pool %u: only guests of the first pool can be moved ('xl "
                         "cpupool-migrate' moves it there)",
                         info->cpupool);
    return true;
}

/* ---- what it has ---- */

static bool check_devices(const cJSON *config, struct error *err)
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
        { "rdms", "reserved device memory" },
    };

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(config, lists[i].member)) > 0)
            return error_set(err, ERROR_REFUSED, "it has %s, which cannot be moved", lists[i].what);
    return true;
}

static bool is_on(const cJSON *object, const char *name)
{
    return !strcmp(json_string_or(object, name, "False"), "True");
}

static bool check_display(const cJSON *hvm, struct error *err)
{
    const cJSON *vnc = cJSON_GetObjectItemCaseSensitive(hvm, "vnc");

    if (*json_string_or(vnc, "passwd", ""))
        return error_set(err, ERROR_REFUSED,
                         "its VNC display has a password, which the device model does not tell and "
                         "would be without at the target");
    if (is_on(cJSON_GetObjectItemCaseSensitive(hvm, "spice"), "enable"))
        return error_set(err, ERROR_REFUSED, "it has a SPICE display, which cannot be moved");
    if (is_on(cJSON_GetObjectItemCaseSensitive(hvm, "sdl"), "enable"))
        return error_set(err, ERROR_REFUSED,
                         "it has an SDL window on this host's screen, which cannot be moved");
    return true;
}

static bool check_kind(const cJSON *config, struct error *err)
{
    const cJSON *pvh = json_get(json_get(config, "b_info"), "type.pvh");

    if (!config_is_pvh(config) && strcmp(config_type(config), "hvm") != 0)
        return error_set(err, ERROR_REFUSED, "it is a domain of the type '%s', not 'hvm' or 'pvh'",
                         config_type(config));
    if (is_on(pvh, "pvshim"))
        return error_set(err, ERROR_REFUSED,
                         "it is a PV guest in a PVH domain (pvshim), which cannot be moved");
    return true;
}

static bool check_features(const cJSON *config, struct error *err)
{
    const cJSON *info = cJSON_GetObjectItemCaseSensitive(config, "b_info");
    const cJSON *hvm = cJSON_GetObjectItemCaseSensitive(info, "type.hvm");

    if (is_on(info, "nested_hvm") || is_on(hvm, "nested_hvm"))
        return error_set(err, ERROR_REFUSED,
                         "it has nested virtualisation, whose state Xen cannot save");
    if (strcmp(json_string_or(info, "altp2m", "disabled"), "disabled") != 0 || is_on(hvm, "altp2m"))
        return error_set(err, ERROR_REFUSED,
                         "it has alternate memory views (altp2m), whose state Xen cannot save");
    if (is_on(info, "vpmu"))
        return error_set(err, ERROR_REFUSED,
                         "it has performance counters (vpmu), whose state Xen cannot save");
    if (json_uint_or(info, "vmtrace_buf_kb", 0) > 0)
        return error_set(err, ERROR_REFUSED, "its processors are traced (vmtrace_buf_kb)");
    if (is_on(info, "dm_restrict"))
        return error_set(err, ERROR_REFUSED,
                         "its device model is restricted (dm_restrict), and would not be so at the "
                         "target");
    return check_display(hvm, err);
}

/* ---- the public face ---- */

bool check_movable_config(const cJSON *config, struct error *err)
{
    return check_kind(config, err) && check_devices(config, err) && check_features(config, err);
}

bool check_movable(const struct domain_facts *facts, struct error *err)
{
    return check_type(facts, err) && check_state(facts, err) &&
           check_movable_config(facts->config, err);
}

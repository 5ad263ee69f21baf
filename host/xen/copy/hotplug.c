/* Run the scripts that join a guest's network interfaces to a bridge, as libxl does. Their
 * arguments come from xenstore, where they still are after a crash.
 */
#include <stdio.h>

#include "host/system/program.h"
#include "host/xen/copy/copy.h"
#include "host/xen/ground/config.h"
#include "xmig/text.h"

enum {
    SCRIPT_MS = 120000, /* a busy host forks slowly */
    BACKEND_MS = 20000,
    POLL_MS = 10,
    UNPLUG_MS = 10000, /* then the script runs, at worst for nothing */
    LOOK_MS = 200,     /* nobody waits for an interface to go */
    STATE_INIT_WAIT = 2
};

/* Xen's scripts write their errors to this file: xen-hotplug-common.sh. */
static const char SCRIPT_LOG[] = "/var/log/xen/xen-hotplug.log";

struct vif {
    const char *id;
    const cJSON *keys; /* of its backend */
};

static bool run_script(struct xen_copy *vm, const struct vif *vif, const char *action,
                       const char *type, struct error *err)
{
    const char *script = json_string_or(vif->keys, "script", "/etc/xen/scripts/vif-bridge");
    const char *gateway = json_string_or(vif->keys, "gatewaydev", "");
    AUTO_FREE char *script_word = formatted("script=%s", script);
    AUTO_FREE char *path_word = formatted("XENBUS_PATH=backend/vif/%u/%s", vm->xen.domid, vif->id);
    AUTO_FREE char *tap_word = formatted("INTERFACE=vif%u.%s-emu", vm->xen.domid, vif->id);
    AUTO_FREE char *vif_word = formatted("vif=vif%u.%s", vm->xen.domid, vif->id);
    AUTO_FREE char *net_word = formatted("netdev=%s", gateway);
    AUTO_FREE char *type_word = formatted("type_if=%s", type);
    const char *const words[] = { "env",     script_word, "XENBUS_TYPE=vif",
                                  path_word, net_word,    "XENBUS_BASE_PATH=backend",
                                  tap_word,  vif_word,    script,
                                  action,    type_word,   NULL };

    return program_run(vm->base.context.loop, words, NULL, SCRIPT_MS, err) ||
           error_prefix(err, "network interface %s: %s %s (Xen's scripts log to %s)", vif->id,
                        script, action, SCRIPT_LOG);
}

static bool await_backend(struct xen_copy *vm, const struct vif *vif, struct error *err)
{
    uint64_t deadline = loop_now_ms() + BACKEND_MS;

    while (store_number(vm->xen.xs, 0, "/local/domain/0/backend/vif/%u/%s/state", vm->xen.domid,
                        vif->id) < STATE_INIT_WAIT) {
        if (loop_now_ms() >= deadline)
            return error_set(err, ERROR_TIMEOUT,
                             "network interface %s: its backend does not appear", vif->id);
        if (!loop_pause(vm->base.context.loop, POLL_MS, err))
            return false;
    }
    return true;
}

/* Does QEMU have a tap for the emulated interface? If the guest uses the PV one instead, QEMU
 * removes the tap some moments after it has loaded the device state.
 */
static bool has_tap(const struct xen_copy *vm, const struct vif *vif)
{
    AUTO_FREE char *path = formatted("/sys/class/net/vif%u.%s-emu", vm->xen.domid, vif->id);

    return access(path, F_OK) == 0;
}

static bool is_used_as_pv(const struct xen_copy *vm, const struct vif *vif)
{
    struct xen_device device;
    const cJSON *item;

    fields_each (item, vm->params.xen.devices, xen_device_fields, &device)
        if (!strcmp(device.kind, "vif") && !strcmp(device.id, vif->id))
            return device.is_connected;
    return false;
}

/* Wait while QEMU is about to remove the tap: running its script would only delay the guest's
 * reconnect.
 */
static void await_unplugged(struct xen_copy *vm, const struct vif *vif)
{
    uint64_t deadline = loop_now_ms() + UNPLUG_MS;

    while (has_tap(vm, vif) && loop_now_ms() < deadline &&
           loop_pause(vm->base.context.loop, LOOK_MS, NULL))
        continue;
}

static bool join_tap(struct xen_copy *vm, const struct vif *vif, struct error *err)
{
    struct error why = { 0 };

    if (is_used_as_pv(vm, vif))
        await_unplugged(vm, vif);
    if (!has_tap(vm, vif) || run_script(vm, vif, "add", "tap", &why) || !has_tap(vm, vif))
        return true;
    *err = why;
    return false;
}

/* A failure is fine: the interface was never joined, and goes with the domain. Taps need no script:
 * they are joined only after the handover, and go with the device model.
 */
static void part(struct xen_copy *vm, const struct vif *vif)
{
    struct error err = { 0 };

    if (!run_script(vm, vif, "offline", "vif", &err))
        event_say(&vm->base.context.events, EVENT_DEBUG, NULL, "%s", err.text);
}

static bool take_step(struct xen_copy *vm, const struct vif *vif, enum hotplug_step step,
                      struct error *err)
{
    switch (step) {
    case HOTPLUG_ONLINE:
        return await_backend(vm, vif, err) && run_script(vm, vif, "online", "vif", err);
    case HOTPLUG_TAP:
        return join_tap(vm, vif, err);
    case HOTPLUG_OFFLINE:
        part(vm, vif);
        return true;
    }
    return true;
}

static bool runs_scripts(struct xen_copy *vm)
{
    AUTO_JSON cJSON *config = config_read(vm->xen.domid, vm->xen.uuid, NULL);
    const cJSON *info = json_get(config, "c_info");

    return strcmp(json_string_or(info, "run_hotplug_scripts", "True"), "False") != 0;
}

bool hotplug_vifs(struct xen_copy *vm, enum hotplug_step step, struct error *err)
{
    AUTO_JSON cJSON *ids = store_list(vm->xen.xs, "/libxl/%u/device/vif", vm->xen.domid);
    const cJSON *id;

    if (!ids->child || !runs_scripts(vm))
        return true;
    cJSON_ArrayForEach (id, ids) {
        AUTO_JSON cJSON *keys =
            store_values(vm->xen.xs, "/libxl/%u/device/vif/%s", vm->xen.domid, id->valuestring);
        const struct vif vif = { id->valuestring, keys };

        if (!take_step(vm, &vif, step, err))
            return false;
    }
    return true;
}

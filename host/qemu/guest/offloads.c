/* What the guest has its taps do, as far as not every kernel can: a target that cannot would say so
 * only when all disks have been copied. The taps of any QEMU tell what they do with packets for the
 * guest. What it may send (host_uso) leaves no trace there: only QEMU knows.
 */
#include "host/qemu/guest/machine.h"
#include "host/system/tap.h"

cJSON *offloads_read(pid_t pid, enum tap_offload what)
{
    cJSON *taps = must(cJSON_CreateArray());
    AUTO_JSON cJSON *names = tap_shares_network(pid) ? tap_names(pid) : NULL;
    const cJSON *name;

    cJSON_ArrayForEach (name, names)
        if (tap_offloads(name->valuestring, what))
            cJSON_AddItemToArray(taps, must(cJSON_CreateString(name->valuestring)));
    return taps;
}

/* Segmentation of UDP, which QEMU knows since 8.2. */
static const char *const uso[] = { "VIRTIO_NET_F_HOST_USO", "VIRTIO_NET_F_GUEST_USO4",
                                   "VIRTIO_NET_F_GUEST_USO6", NULL };

/* "VIRTIO_NET_F_HOST_USO: Device can receive USO" */
static bool has_uso(const cJSON *features)
{
    const cJSON *feature;

    cJSON_ArrayForEach (feature, features)
        if (cJSON_IsString(feature) && word_begins_among(feature->valuestring, uso))
            return true;
    return false;
}

static bool uses_uso(struct qemu *vm, const char *path, bool *uses, struct error *err)
{
    cJSON *arguments = must(cJSON_CreateObject());
    AUTO_JSON cJSON *status = NULL;

    cJSON_AddStringToObject(arguments, "path", path);
    if (!qmp_call(vm->q, "x-query-virtio-status", arguments, &status, err))
        return false;
    *uses = has_uso(json_get(json_get(status, "guest-features"), "dev-features"));
    return true;
}

/* QEMU 11.1 ends when it is asked for the status of a virtio device: ask only versions of which it
 * is known that they go on.
 */
static bool can_be_asked(struct qemu *vm)
{
    return qmp_is_at_least(vm->q, 8, 2) && !qmp_is_at_least(vm->q, 10, 1);
}

bool offloads_add_cards(struct qemu *vm, cJSON *names, struct error *err)
{
    AUTO_JSON cJSON *devices = NULL;
    const cJSON *device;

    if (!can_be_asked(vm) || !qmp_call(vm->q, "x-query-virtio", NULL, &devices, NULL))
        return true; /* no virtio devices; a QEMU that is lost shows in the next question */
    cJSON_ArrayForEach (device, devices) {
        const char *path = json_string_or(device, "path", "");
        AUTO_FREE char *id = qemu_device_id(path);
        bool uses = false;

        if (strcmp(json_string_or(device, "name", ""), "virtio-net") != 0)
            continue;
        if (!uses_uso(vm, path, &uses, err))
            return false;
        if (uses)
            cJSON_AddItemToArray(names, must(cJSON_CreateString(*id ? id : path)));
    }
    return true;
}

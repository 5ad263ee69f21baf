/* What the guest's network cards have their taps do, as far as not every kernel can: a target that
 * cannot would say so only when all disks have been copied.
 */
#include "host/qemu/guest/machine.h"

/* Segmentation of UDP, which QEMU knows since 8.2 and Linux since 6.2. */
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

cJSON *offloads_read(struct qemu *vm, struct error *err)
{
    AUTO_JSON cJSON *cards = must(cJSON_CreateArray());
    AUTO_JSON cJSON *devices = NULL;
    const cJSON *device;

    if (!can_be_asked(vm) || !qmp_call(vm->q, "x-query-virtio", NULL, &devices, NULL))
        return steal(cards); /* no virtio devices; a QEMU that is lost shows in the next question */
    cJSON_ArrayForEach (device, devices) {
        const char *path = json_string_or(device, "path", "");
        AUTO_FREE char *id = qemu_device_id(path);
        bool uses = false;

        if (strcmp(json_string_or(device, "name", ""), "virtio-net") != 0)
            continue;
        if (!uses_uso(vm, path, &uses, err))
            return NULL;
        if (uses)
            cJSON_AddItemToArray(cards, must(cJSON_CreateString(*id ? id : path)));
    }
    return steal(cards);
}

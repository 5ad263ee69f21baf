/* Virtqueues that are longer than the VM's command line makes them. QEMU loads no such queue from
 * 11.1 on, and says so only when all disks have been copied. Some versions (10.0.13) give a device
 * queues of 1024 entries whenever the guest resets it, whatever the line says, and a move takes
 * that length along.
 */
#include "host/qemu/guest/machine.h"

/* One queue of a kind of device, by which all of the device's are judged, for a reset changes them
 * together; and what the line makes of that: a property's value, or else what QEMU's source has.
 */
struct known_queue {
    const char *device;
    uint64_t index;
    const char *property;
    uint64_t length;
};

static const struct known_queue known[] = {
    { "virtio-blk", 0, "queue-size", 256 },
    { "virtio-scsi", 0, "virtqueue_size", 256 },
    { "virtio-net", 1, "tx_queue_size", 256 },
    { "virtio-serial", 0, NULL, 128 },
    { "virtio-rng", 0, NULL, 8 },
    { "virtio-balloon", 0, NULL, 128 },
    { "virtio-gpu", 1, NULL, 16 },
    { "virtio-input", 0, NULL, 64 },
    { "virtio-iommu", 0, NULL, 256 },
    { "virtio-mem", 0, NULL, 128 },
    { "virtio-pmem", 0, NULL, 128 },
    { "virtio-sound", 0, NULL, 64 },
    { "vhost-vsock", 0, NULL, 128 },
};

static const struct known_queue *find_known(const char *device)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!strcmp(known[i].device, device))
            return &known[i];
    return NULL;
}

static uint64_t length_by_line(struct qemu *vm, const struct known_queue *queue, const char *path)
{
    cJSON *arguments;
    AUTO_JSON cJSON *value = NULL;

    if (!queue->property)
        return queue->length;
    arguments = must(cJSON_CreateObject());
    cJSON_AddStringToObject(arguments, "path", path);
    cJSON_AddStringToObject(arguments, "property", queue->property);
    if (!qmp_call(vm->q, "qom-get", arguments, &value, NULL) || !cJSON_IsNumber(value))
        return queue->length;
    return (uint64_t)value->valuedouble;
}

/* "net0" of "/machine/peripheral/net0/virtio-backend"; a path, where the device has no id. */
static char *name_of(const char *path)
{
    AUTO_FREE char *id = qemu_device_id(path);
    const char *backend = strstr(path, "/virtio-backend");

    if (*id)
        return steal(id);
    return must(strndup(path, backend ? (size_t)(backend - path) : strlen(path)));
}

static bool add_longer(struct qemu *vm, const struct known_queue *queue, const char *path,
                       cJSON *longer, struct error *err)
{
    cJSON *arguments = must(cJSON_CreateObject());
    AUTO_JSON cJSON *status = NULL;
    AUTO_FREE char *name = name_of(path);
    struct qemu_queue found = { .device = queue->device, .name = name };

    cJSON_AddStringToObject(arguments, "path", path);
    json_add_uint(arguments, "queue", queue->index);
    if (!qmp_call(vm->q, "x-query-virtio-queue-status", arguments, &status, err))
        return false;
    found.length = json_uint_or(status, "vring-num", 0);
    found.after_reset = json_uint_or(status, "vring-num-default", 0);
    found.by_line = length_by_line(vm, queue, path);
    if (found.length > found.by_line)
        cJSON_AddItemToArray(longer, fields_new(qemu_queue_fields, &found));
    return true;
}

/* QEMU refuses to list the virtio devices of a VM that has none; and before 7.2, when it cannot
 * list them, it makes no queue too long. (Never ask for x-query-virtio-status: QEMU 11.1 ends by
 * it.)
 */
cJSON *queues_read(struct qemu *vm, struct error *err)
{
    AUTO_JSON cJSON *devices = NULL;
    AUTO_JSON cJSON *longer = must(cJSON_CreateArray());
    struct error why = { 0 };
    const cJSON *device;

    if (!qmp_call(vm->q, "x-query-virtio", NULL, &devices, &why) && why.kind != ERROR_SYSTEM) {
        error_set(err, why.kind, "%s", why.text);
        return NULL;
    }
    cJSON_ArrayForEach (device, devices) {
        const struct known_queue *queue = find_known(json_string_or(device, "name", ""));

        if (queue && !add_longer(vm, queue, json_string_or(device, "path", ""), longer, err))
            return NULL;
    }
    return steal(longer);
}

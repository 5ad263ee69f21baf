/* Virtqueues that are longer than the VM's command line makes them. QEMU loads no such queue from
 * 11.1 on, and says so only when all disks have been copied. Some versions (10.0.13) give a device
 * queues of 1024 entries whenever the guest resets it, whatever the line says, and a move takes
 * that length along.
 */
#include "host/qemu/guest/machine.h"

/* How long the queues of a kind of device are by the command line: a property of the queues with an
 * even number, and of those with an odd one, or else the number that QEMU's source has.
 */
struct known_queues {
    const char *device;
    const char *property[2];
    uint64_t length;
    uint64_t control; /* of a last queue without a partner; 0: there is none */
};

static const struct known_queues known[] = {
    { "virtio-blk", { "queue-size", "queue-size" }, 256, 0 },
    { "virtio-scsi", { "virtqueue_size", "virtqueue_size" }, 256, 0 },
    { "virtio-net", { "rx_queue_size", "tx_queue_size" }, 256, 64 },
    { .device = "virtio-serial", .length = 128 },
    { .device = "virtio-rng", .length = 8 },
    { .device = "virtio-balloon", .length = 128 },
    { .device = "virtio-gpu", .length = 256 },
    { .device = "virtio-input", .length = 64 },
    { .device = "virtio-iommu", .length = 256 },
    { .device = "virtio-mem", .length = 128 },
    { .device = "virtio-pmem", .length = 128 },
    { .device = "virtio-sound", .length = 64 },
    { .device = "vhost-vsock", .length = 128 },
};

static const struct known_queues *find_known(const char *device)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!strcmp(known[i].device, device))
            return &known[i];
    return NULL;
}

static uint64_t read_property(struct qemu *vm, const char *path, const char *property,
                              uint64_t otherwise)
{
    cJSON *arguments = must(cJSON_CreateObject());
    AUTO_JSON cJSON *value = NULL;

    cJSON_AddStringToObject(arguments, "path", path);
    cJSON_AddStringToObject(arguments, "property", property);
    if (!qmp_call(vm->q, "qom-get", arguments, &value, NULL) || !cJSON_IsNumber(value))
        return otherwise;
    return (uint64_t)value->valuedouble;
}

/* The states of all queues of a device; QEMU refuses to tell of one that is not there. */
static cJSON *read_states(struct qemu *vm, const char *path, struct error *err)
{
    AUTO_JSON cJSON *states = must(cJSON_CreateArray());
    struct error why = { 0 };

    for (uint64_t i = 0;; i++) {
        cJSON *arguments = must(cJSON_CreateObject());
        cJSON *state;

        cJSON_AddStringToObject(arguments, "path", path);
        json_add_uint(arguments, "queue", i);
        if (!qmp_call(vm->q, "x-query-virtio-queue-status", arguments, &state, &why))
            break;
        cJSON_AddItemToArray(states, state);
    }
    if (why.kind == ERROR_SYSTEM)
        return steal(states);
    error_set(err, why.kind, "%s", why.text);
    return NULL;
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

/* The guest may have shortened some of the queues: name the first that is too long. */
static bool add_longer(struct qemu *vm, const struct known_queues *kind, const char *path,
                       cJSON *longer, struct error *err)
{
    AUTO_JSON cJSON *states = read_states(vm, path, err);
    AUTO_FREE char *name = name_of(path);
    uint64_t lengths[2] = { kind->length, kind->length };
    int count = cJSON_GetArraySize(states), i = 0;
    const cJSON *state;

    for (size_t parity = 0; states && parity < 2 && kind->property[parity]; parity++)
        lengths[parity] = read_property(vm, path, kind->property[parity], kind->length);
    cJSON_ArrayForEach (state, states) {
        struct qemu_queue found = {
            .device = kind->device,
            .name = name,
            .length = json_uint_or(state, "vring-num", 0),
            .by_line = lengths[i % 2],
            .after_reset = json_uint_or(state, "vring-num-default", 0),
        };

        i++;
        if (kind->control && i == count && count % 2)
            found.by_line = kind->control;
        if (found.length <= found.by_line)
            continue;
        cJSON_AddItemToArray(longer, fields_new(qemu_queue_fields, &found));
        break;
    }
    return states != NULL;
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
        const struct known_queues *kind = find_known(json_string_or(device, "name", ""));

        if (kind && !add_longer(vm, kind, json_string_or(device, "path", ""), longer, err))
            return NULL;
    }
    return steal(longer);
}

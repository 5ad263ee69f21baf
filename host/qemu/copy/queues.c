/* Virtqueues of the source that are longer than the command line makes them here. */
#include "host/qemu/copy/copy.h"
#include "qmp/argv/keyvals.h"
#include "xmig/text.h"

#define STRICT_SINCE QEMU_VERSION(11, 1)

/* A kind of device whose queues can be made longer on the command line. */
struct adaptable {
    const char *device; /* what QEMU calls it, and with what the names of its -device begin */
    const char *property;
};

static const struct adaptable adaptable[] = {
    { "virtio-blk", "queue-size" },
    { "virtio-scsi", "virtqueue_size" },
};

static const struct adaptable *find_adaptable(const char *device)
{
    for (size_t i = 0; i < sizeof(adaptable) / sizeof(adaptable[0]); i++)
        if (!strcmp(adaptable[i].device, device))
            return &adaptable[i];
    return NULL;
}

static bool refuse(const struct qemu_queue *queue, struct error *err)
{
    error_set(
        err, ERROR_REFUSED,
        "the VM's %s (%s) has a queue of %llu entries, and QEMU from 11.1 on, which the target "
        "has, takes no more than the %llu of the command line",
        queue->device, queue->name, (unsigned long long)queue->length,
        (unsigned long long)queue->by_line);
    if (queue->after_reset <= queue->by_line)
        return error_append(err, ": reboot the guest, which makes the queue as long as that, and "
                                 "try again");
    return error_append(err,
                        ": QEMU at the source makes it so long when the guest boots, as 10.0.13 "
                        "does. Move the VM to a host with another QEMU before 11.1, reboot the "
                        "guest there, and move it on; or shut it down, and start it at the "
                        "target");
}

bool queues_check(const struct qemu_copy *vm, struct error *err)
{
    struct qemu_queue queue;
    const cJSON *item;

    if (vm->images.qemu < STRICT_SINCE)
        return true;
    fields_each (item, vm->params.qemu.queues, qemu_queue_fields, &queue)
        if (!find_adaptable(queue.device) && !error_goes_on(err, refuse(&queue, err)))
            return false;
    return true;
}

/* The longest that a device of this kind has; 0: as the line says. */
static uint64_t longest(const struct qemu_copy *vm, const struct adaptable *kind)
{
    uint64_t length = 0;
    struct qemu_queue queue;
    const cJSON *item;

    fields_each (item, vm->params.qemu.queues, qemu_queue_fields, &queue)
        if (!strcmp(queue.device, kind->device) && queue.length > length)
            length = queue.length;
    return vm->images.qemu < STRICT_SINCE ? 0 : length;
}

/* What a -device says of its own goes before -global. */
static char *without_property(const char *value, const struct adaptable *kind)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *driver;

    if (!keyvals_parse(value, &kv, NULL))
        return must(strdup(value));
    driver = keyvals_get_implied(&kv, "driver");
    if (driver && !strncmp(driver, kind->device, strlen(kind->device)))
        keyvals_remove(&kv, kind->property);
    return keyvals_print(&kv);
}

static void adapt(cJSON *words, const struct adaptable *kind, uint64_t length)
{
    AUTO_FREE char *global =
        formatted("%s-device.%s=%llu", kind->device, kind->property, (unsigned long long)length);
    cJSON *word;

    cJSON_ArrayForEach (word, words) {
        const char *option = word->prev && word->prev->next ? word->prev->valuestring : "";

        if (!strcmp(option, "-device") || !strcmp(option, "--device")) {
            AUTO_FREE char *value = without_property(word->valuestring, kind);

            cJSON_SetValuestring(word, value);
        }
    }
    cJSON_AddItemToArray(words, must(cJSON_CreateString("-global")));
    cJSON_AddItemToArray(words, must(cJSON_CreateString(global)));
}

cJSON *queues_let_in(const struct qemu_copy *vm)
{
    const cJSON *checked = vm->words ? vm->words : vm->params.qemu.words;
    cJSON *words = must(cJSON_Duplicate(checked, true));

    for (size_t i = 0; i < sizeof(adaptable) / sizeof(adaptable[0]); i++) {
        uint64_t length = longest(vm, &adaptable[i]);

        if (length)
            adapt(words, &adaptable[i], length);
    }
    return words;
}

/* What a QEMU's start line makes, by name. */
#include "host/qemu/argv/argv.h"
#include "host/qemu/guest/machine.h"

bool line_says(const cJSON *words, const char *const options[], const char *id)
{
    struct option_step step = { .rest = words->child };

    while (option_next(&qemu_options, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };
        const char *said;

        if (!step.value || !word_is_among(step.name, options) ||
            !keyvals_parse(step.value, &kv, NULL))
            continue;
        said = keyvals_get(&kv, "id");
        if (said && !strcmp(said, id))
            return true;
    }
    return false;
}

cJSON *line_ids(const cJSON *words, const char *option, const char *key)
{
    cJSON *ids = must(cJSON_CreateArray());
    struct option_step step = { .rest = words->child };

    while (option_next(&qemu_options, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };

        if (!strcmp(step.name, option) && keyvals_parse(step.value, &kv, NULL) &&
            keyvals_get(&kv, key))
            cJSON_AddItemToArray(ids, must(cJSON_CreateString(keyvals_get(&kv, key))));
    }
    return ids;
}

/* QEMU makes a device for each drive of virtio's, and gives it no id. */
static bool makes_virtio(const char *value, bool by_default)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *interface;

    if (!keyvals_parse(value, &kv, NULL))
        return false;
    interface = keyvals_get(&kv, "if");
    return interface ? !strcmp(interface, "virtio") : by_default;
}

static bool has_no_id(const char *value)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    return keyvals_parse(value, &kv, NULL) && !keyvals_get(&kv, "id");
}

size_t line_count_anonymous(const cJSON *words, const char *machine)
{
    static const char *const disks[] = { "hda", "hdb", "hdc", "hdd", "cdrom", NULL };
    static const char *const plainly_virtio[] = { "virt", "microvm", "s390", NULL };
    bool by_default = word_begins_among(machine, plainly_virtio);
    struct option_step step = { .rest = words->child };
    size_t count = 0;

    while (option_next(&qemu_options, &step, NULL)) {
        if (!*step.name)
            count += by_default;
        else if (!strcmp(step.name, "device"))
            count += has_no_id(step.value);
        else if (!strcmp(step.name, "watchdog") || !strcmp(step.name, "virtfs"))
            count++;
        else if (!strcmp(step.name, "drive"))
            count += makes_virtio(step.value, by_default);
        else if (word_is_among(step.name, disks))
            count += by_default;
    }
    return count;
}

/* What a QEMU's start line makes, by name. */
#include "host/qemu/argv/argv-rewrite.h"
#include "host/qemu/guest/machine.h"

static bool is_among(const char *const names[], const char *name)
{
    for (size_t i = 0; names[i]; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

bool line_says(const cJSON *words, const char *const options[], const char *id)
{
    const cJSON *word = words->child;
    struct argv_step step;

    while (word && argv_step(&word, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };
        const char *said;

        if (!step.option || !step.value || !is_among(options, step.name) ||
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
    const cJSON *word = words->child;
    struct argv_step step;

    while (word && argv_step(&word, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };

        if (step.option && !strcmp(step.name, option) && keyvals_parse(step.value, &kv, NULL) &&
            keyvals_get(&kv, key))
            cJSON_AddItemToArray(ids, must(cJSON_CreateString(keyvals_get(&kv, key))));
    }
    return ids;
}

/* Machines whose plain drives are virtio's. */
static bool prefers_virtio(const char *machine)
{
    static const char *const families[] = { "virt", "microvm", "s390" };

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (!strncmp(machine, families[i], strlen(families[i])))
            return true;
    return false;
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
    bool by_default = prefers_virtio(machine);
    const cJSON *word = words->child;
    struct argv_step step;
    size_t count = 0;

    while (word && argv_step(&word, &step, NULL)) {
        if (!step.option)
            count += by_default;
        else if (!strcmp(step.name, "device"))
            count += has_no_id(step.value);
        else if (!strcmp(step.name, "watchdog"))
            count++;
        else if (!strcmp(step.name, "drive"))
            count += makes_virtio(step.value, by_default);
        else if (is_among(disks, step.name))
            count += by_default;
    }
    return count;
}

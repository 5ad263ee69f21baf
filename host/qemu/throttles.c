/* Limits of throttle groups, by QEMU's object tree. */
#include "host/qemu/throttles.h"

#include "xmig/fields.h"
#include "xmig/text.h"

/* The arguments of qom-get and qom-set. */
static cJSON *limits_of(const char *group)
{
    cJSON *arguments = must(cJSON_CreateObject());
    AUTO_FREE char *path = formatted("/objects/%s", group);

    cJSON_AddStringToObject(arguments, "path", path);
    cJSON_AddStringToObject(arguments, "property", "limits");
    return arguments;
}

static bool read_group(struct qemu *vm, const char *group, cJSON *throttles, struct error *err)
{
    cJSON *limits = NULL;

    if (!qmp_call(vm->q, "qom-get", limits_of(group), &limits, err))
        return error_prefix(err, "the limits of the throttle group '%s'", group);
    cJSON_AddItemToObject(throttles, group, limits);
    return true;
}

cJSON *throttles_read(struct qemu *vm, const cJSON *words, struct error *err)
{
    AUTO_JSON cJSON *throttles = must(cJSON_CreateObject());
    struct option_step step = { .rest = words ? words->child : NULL };

    while (option_next(&qemu_options, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };
        const char *type, *id;

        if (strcmp(step.name, "object") != 0 || !keyvals_parse(step.value, &kv, NULL))
            continue;
        type = keyvals_get_implied(&kv, "qom-type");
        id = keyvals_get(&kv, "id");
        if (type && id && !strcmp(type, "throttle-group") && !read_group(vm, id, throttles, err))
            return NULL;
    }
    return steal(throttles);
}

static bool set_group(struct qemu *vm, const cJSON *limits, struct error *err)
{
    const char *group = limits->string;
    cJSON *arguments;

    if (!field_is_name(group))
        return error_set(err, ERROR_PROTOCOL, "'%s' is not the name of a throttle group", group);
    arguments = limits_of(group);
    cJSON_AddItemToObject(arguments, "value", must(cJSON_Duplicate(limits, true)));
    return qmp_call(vm->q, "qom-set", arguments, NULL, err) ||
           error_prefix(err, "the limits of the throttle group '%s'", group);
}

bool throttles_set(struct qemu *vm, const cJSON *throttles, struct error *err)
{
    const cJSON *limits;

    cJSON_ArrayForEach (limits, throttles)
        if (!set_group(vm, limits, err))
            return false;
    return true;
}

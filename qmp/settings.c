/* QEMU keeps its migration capabilities and parameters: with a capability that another tool has
 * left on, our stream would not be the one that the target expects.
 */
#include "qmp/settings.h"

#include "qmp/commands.h"

/* Parameters that xmig sets, or that would change the stream or where it goes. */
static const struct {
    const char *name;
    const char *text; /* what it must be; NULL: `number` */
    uint64_t number;
    bool always; /* every QEMU knows it, or xmig sets it itself */
    bool is_ours;
} parameters_touched[] = {
    { .name = "tls-creds", .text = "", .always = true },
    { .name = "tls-hostname", .text = "", .always = true },
    { .name = "mode", .text = "normal" },
    { .name = "avail-switchover-bandwidth", .number = 0 },
    { .name = "max-bandwidth", .is_ours = true },
    { .name = "downtime-limit", .is_ours = true },
    { .name = "block-bitmap-mapping", .is_ours = true },
};

enum {
    TOUCHED_COUNT = sizeof(parameters_touched) / sizeof(parameters_touched[0])
};

static bool has(const cJSON *names, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, names)
        if (cJSON_IsString(item) && !strcmp(item->valuestring, name))
            return true;
    return false;
}

/* ---- capabilities ---- */

static void add_state(cJSON *states, const char *name, bool on)
{
    cJSON *state = json_new("capability", name);

    cJSON_AddBoolToObject(state, "state", on);
    cJSON_AddItemToArray(states, state);
}

/* Set all in one command: some depend on others, and QEMU checks those that change together. */
static bool switch_capabilities(struct qmp *q, const cJSON *wanted, struct error *err)
{
    AUTO_JSON cJSON *present = NULL;
    cJSON *arguments, *states;
    const cJSON *item;

    if (!qmp_call(q, "query-migrate-capabilities", NULL, &present, err))
        return false;
    arguments = must(cJSON_CreateObject());
    states = cJSON_AddArrayToObject(arguments, "capabilities");
    cJSON_ArrayForEach (item, wanted)
        add_state(states, item->valuestring, true);
    cJSON_ArrayForEach (item, present) {
        const char *name = json_string_or(item, "capability", "");

        if (json_true(item, "state") && !has(wanted, name))
            add_state(states, name, false);
    }
    return qmp_call(q, "migrate-set-capabilities", arguments, NULL, err);
}

/* ---- parameters ---- */

static bool is_as_needed(size_t i, const cJSON *value)
{
    if (parameters_touched[i].text)
        return !strcmp(cJSON_IsString(value) ? value->valuestring : "", parameters_touched[i].text);
    return cJSON_IsNumber(value) && value->valuedouble == (double)parameters_touched[i].number;
}

static void add_needed(cJSON *parameters, const cJSON *before)
{
    for (size_t i = 0; i < TOUCHED_COUNT; i++) {
        const cJSON *value = json_get(json_get(before, "parameters"), parameters_touched[i].name);

        if (parameters_touched[i].is_ours ||
            (!parameters_touched[i].always && (!value || is_as_needed(i, value))))
            continue;
        if (parameters_touched[i].text)
            cJSON_AddStringToObject(parameters, parameters_touched[i].name,
                                    parameters_touched[i].text);
        else
            json_add_uint(parameters, parameters_touched[i].name, parameters_touched[i].number);
    }
}

/* ---- the public face ---- */

cJSON *qmp_settings_read(struct qmp *q, struct error *err)
{
    AUTO_JSON cJSON *capabilities = NULL;
    AUTO_JSON cJSON *parameters = NULL;
    cJSON *settings, *on, *kept;
    const cJSON *item;

    if (!qmp_call(q, "query-migrate-capabilities", NULL, &capabilities, err) ||
        !qmp_call(q, "query-migrate-parameters", NULL, &parameters, err))
        return NULL;
    settings = must(cJSON_CreateObject());
    on = cJSON_AddArrayToObject(settings, "capabilities");
    kept = cJSON_AddObjectToObject(settings, "parameters");
    cJSON_ArrayForEach (item, capabilities)
        if (json_true(item, "state"))
            cJSON_AddItemToArray(on,
                                 must(cJSON_CreateString(json_string_or(item, "capability", "?"))));
    for (size_t i = 0; i < TOUCHED_COUNT; i++) {
        const cJSON *value = json_get(parameters, parameters_touched[i].name);

        if (value)
            cJSON_AddItemToObject(kept, parameters_touched[i].name,
                                  must(cJSON_Duplicate(value, true)));
    }
    return settings;
}

bool qmp_settings_put(struct qmp *q, const char *const capabilities[], cJSON *parameters,
                      const cJSON *before, struct error *err)
{
    AUTO_JSON cJSON *wanted = must(cJSON_CreateArray());

    for (size_t i = 0; capabilities[i]; i++)
        cJSON_AddItemToArray(wanted, must(cJSON_CreateString(capabilities[i])));
    add_needed(parameters, before);
    if (switch_capabilities(q, wanted, err))
        return qmp_set_parameters(q, parameters, err);
    cJSON_Delete(parameters);
    return false;
}

bool qmp_settings_restore(struct qmp *q, const cJSON *before, struct error *err)
{
    const cJSON *parameters = json_get(before, "parameters");

    return switch_capabilities(q, json_get(before, "capabilities"), err) &&
           (!parameters || !parameters->child ||
            qmp_set_parameters(q, must(cJSON_Duplicate(parameters, true)), err));
}

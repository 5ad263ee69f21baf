/* Finds the section that applies to a sender, and the settings that follow from it. */
#include "policy/policy.h"
#include "xmig/units.h"

static void fill_otherwise(struct policy *policy)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (key_rows[i].otherwise &&
            !setting_read(&policy->otherwise[i], (enum key)i, key_rows[i].otherwise, NULL))
            abort();
}

static void choose_settings(struct policy *policy, const struct section *common)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct setting *own = policy->own ? &policy->own->settings[i] : NULL;

        policy->settings[i] = &policy->otherwise[i];
        if (own && own->from)
            policy->settings[i] = own;
        else if (common && common->settings[i].from)
            policy->settings[i] = &common->settings[i];
    }
}

static void take_names(struct policy *policy, const char *const names[])
{
    size_t last = 0;

    while (names[last + 1])
        last++;
    free(policy->name);
    free(policy->queue);
    policy->name = must(strdup(policy->own ? policy->own->name : names[last]));
    policy->queue = must(strdup(policy->own ? policy->own->name : names[0]));
}

/* Choose the section of the first name that has one: the names begin with the most particular. */
static void choose_section(struct policy *policy, const char *const names[], const char *directory)
{
    const struct section *common = sections_find(&policy->sections, "default");

    for (size_t i = 0; names[i] && !policy->own; i++)
        policy->own = sections_find(&policy->sections, names[i]);
    take_names(policy, names);
    choose_settings(policy, common);
    if (policy->own || common)
        return;
    if (policy->sections.files > 0)
        error_set(&policy->why, ERROR_REFUSED,
                  "the receiving host's policy has no section [%s], and no [default]: nothing is "
                  "permitted",
                  policy->name);
    else
        error_set(&policy->why, ERROR_REFUSED,
                  "the receiving host has no policy, so that nothing is permitted to '%s'",
                  policy->name);
    error_append(&policy->why,
                 "; begin with these lines in that host's %s/recv.conf: \"[%s]\", \"vms = *\", "
                 "\"image-directories = /DIRECTORY\", \"users = USER\" (xmig-recv.conf(5))",
                 directory, policy->name);
}

struct policy *policy_load(const char *directory, const char *const names[])
{
    struct policy *policy = must(calloc(1, sizeof(*policy)));

    policy->place = -1;
    take_names(policy, names);
    fill_otherwise(policy);
    if (sections_load(&policy->sections, directory, &policy->why)) {
        choose_section(policy, names, directory);
        return policy;
    }
    choose_settings(policy, NULL);
    policy->why.kind = ERROR_REFUSED;
    error_prefix(&policy->why, "the receiving host's policy is bad, so that nothing is permitted");
    return policy;
}

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    for (size_t i = 0; i < KEY_COUNT; i++)
        setting_done(&policy->otherwise[i]);
    sections_done(&policy->sections);
    cleanup_close(&policy->place);
    free(policy->name);
    free(policy->queue);
    free(policy);
}

const char *policy_name(const struct policy *policy)
{
    return policy->name;
}

bool policy_applies(const struct policy *policy, struct error *err)
{
    return policy->why.kind == ERROR_NONE ||
           error_set(err, policy->why.kind, "%s", policy->why.text);
}

bool policy_names_program(const struct policy *policy, const char *path)
{
    const struct need need = { .kind = NEED_PROGRAM, .what = (char *)path };

    return policy && policy->settings[KEY_PROGRAMS]->from &&
           key_rows[KEY_PROGRAMS].permits(policy->settings[KEY_PROGRAMS], &need);
}

bool policy_permits_faults(const struct policy *policy)
{
    return policy->why.kind == ERROR_NONE && policy->settings[KEY_FAULTS]->number;
}

uint64_t policy_bandwidth(const struct policy *policy)
{
    return policy->settings[KEY_BWLIMIT]->number;
}

uint64_t policy_keep_ms(const char *directory)
{
    struct sections sections = { 0 };
    const struct section *common;
    uint64_t keep_ms = 0;

    if (sections_load(&sections, directory, NULL)) {
        common = sections_find(&sections, "default");
        if (common && common->settings[KEY_KEEP].from)
            keep_ms = common->settings[KEY_KEEP].number;
        else
            (void)parse_time(POLICY_KEEP_TEXT, &keep_ms, NULL);
    }
    sections_done(&sections);
    return keep_ms;
}

cJSON *policy_sections(const char *directory, struct error *err)
{
    struct sections sections = { 0 };
    bool ok = sections_load(&sections, directory, err);
    cJSON *names = ok ? must(cJSON_CreateArray()) : NULL;

    for (size_t i = 0; ok && i < sections.count; i++)
        cJSON_AddItemToArray(names, must(cJSON_CreateString(sections.items[i].name)));
    sections_done(&sections);
    return names;
}

/* Judges needs: which key of the policy decides about a need, and the words of a refusal. */
#include <inttypes.h>

#include "policy/match.h"
#include "policy/policy.h"
#include "xmig/text.h"
#include "xmig/units.h"

struct judge {
    enum key key;
    const char *what; /* what people are told; %s becomes the need's text */
};

static const struct judge judges[] = {
    [NEED_VM] = { KEY_VMS, "a VM called '%s'" },
    [NEED_HYPERVISOR] = { KEY_HYPERVISORS, "VMs of the hypervisor '%s'" },
    [NEED_PROGRAM] = { KEY_PROGRAMS, "the program '%s'" },
    [NEED_COMMAND] = { KEY_PROGRAMS, "the command '%s'" },
    [NEED_IMAGE] = { KEY_IMAGE_DIRECTORIES, "the image '%s'" },
    [NEED_DEVICE] = { KEY_VOLUME_GROUPS, "the block device '%s'" },
    [NEED_OVERWRITE] = { KEY_OVERWRITE, "to overwrite '%s'" },
    [NEED_FILE] = { KEY_IMAGE_DIRECTORIES, "to make or write to '%s'" },
    [NEED_READ] = { KEY_IMAGE_DIRECTORIES, "to read '%s'" },
    [NEED_USER] = { KEY_USERS, "to run QEMU as '%s'" },
    [NEED_MEMORY] = { KEY_MAX_MEMORY, "%s of memory" },
    [NEED_LEASE] = { KEY_MAX_LEASE, "a lease of %s" },
    [NEED_BRIDGE] = { KEY_NETWORKS, "the network '%s'" },
    [NEED_SCRIPT] = { KEY_NETWORKS, "the network script '%s'" },
    [NEED_LISTENER] = { KEY_LISTENERS, "to listen at %s" },
    [NEED_CONNECTION] = { KEY_CONNECTIONS, "to connect to %s" },
    [NEED_FAULT] = { KEY_FAULTS, "the fault '%s'" },
    [NEED_UNKNOWN] = { KEY_COUNT, "%s" },
};

/* "127.0.0.1 port 5900 to 5999" */
static char *ports_written(const struct need *need)
{
    const char *where = strcmp(need->what, "*") ? need->what : "any host";
    const char *space = *where ? " " : "";

    if (need->most > need->amount)
        return formatted("%s%sport %" PRIu64 " to %" PRIu64, where, space, need->amount,
                         need->most);
    return formatted("%s%sport %" PRIu64, where, space, need->amount);
}

/* The need's text as people would write it. The caller frees it. */
static char *written(const struct need *need)
{
    char number[UNITS_TEXT_MAX];

    if (need->kind == NEED_MEMORY)
        return must(strdup(print_size(number, need->amount)));
    if (need->kind == NEED_LEASE)
        return must(strdup(need->amount ? print_time(number, need->amount) : "any length"));
    if (need->kind != NEED_LISTENER && need->kind != NEED_CONNECTION)
        return must(strdup(need->what));
    return ports_written(need);
}

/* Add to the refusal what the policy file says, so that its owner knows what to change. */
static bool say_why(const struct policy *policy, enum key key, struct error *err)
{
    const struct setting *setting = policy->settings[key];

    if (setting->from)
        error_append(err, ": %s is '%s' (%s)", key_rows[key].name, setting->value, setting->from);
    else
        error_append(err, ": %s is not set", key_rows[key].name);
    if (!setting->from && setting->value && *setting->value)
        error_append(err, ", which means '%s'", setting->value);
    if (key == KEY_HYPERVISORS && setting->value && strchr(setting->value, '*'))
        error_append(err, "; '*' is each whose VMs exist");
    return false;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static bool refuse(const struct policy *policy, const struct need *need, const struct judge *judge,
                   struct error *err)
{
    AUTO_FREE char *text = written(need);
    AUTO_FREE char *what = formatted(judge->what, text);

    error_set(err, ERROR_REFUSED, "the policy does not permit '%s' %s%s%s%s", policy->name, what,
              *need->of ? " (" : "", need->of, *need->of ? ")" : "");
    return judge->key == KEY_COUNT ? error_append(err, ": nobody can say what that does")
                                   : say_why(policy, judge->key, err);
}
#pragma GCC diagnostic pop

static bool permits(const struct policy *policy, const struct need *need, struct error *err)
{
    const struct judge *judge = &judges[need->kind];
    const struct setting *setting;
    bool ok;

    if (judge->key == KEY_COUNT)
        return refuse(policy, need, judge, err);
    setting = policy->settings[judge->key];
    ok = need->kind == NEED_READ ? match_readable(setting, need)
                                 : key_rows[judge->key].permits(setting, need);
    return ok || refuse(policy, need, judge, err);
}

/* All disks of a VM count together. */
static bool permits_size(const struct policy *policy, const struct needs *needs, struct error *err)
{
    const struct setting *limit = policy->settings[KEY_MAX_DISK];
    char size[UNITS_TEXT_MAX];
    uint64_t sum = 0;

    for (size_t i = 0; i < needs->count; i++) {
        const struct need *need = &needs->items[i];

        if ((need->kind == NEED_IMAGE || need->kind == NEED_DEVICE) &&
            __builtin_add_overflow(sum, need->amount, &sum))
            sum = UINT64_MAX;
    }
    if (!limit->is_limit || sum <= limit->number)
        return true;
    error_set(err, ERROR_REFUSED, "the policy does not permit '%s' disks of %s in all",
              policy->name, print_size(size, sum));
    return say_why(policy, KEY_MAX_DISK, err);
}

bool policy_permits(const struct policy *policy, const struct needs *needs, struct error *err)
{
    if (policy->why.kind != ERROR_NONE)
        return error_set(err, ERROR_REFUSED, "%s", policy->why.text);
    for (size_t i = 0; i < needs->count; i++)
        if (!error_goes_on(err, permits(policy, &needs->items[i], err)))
            return false;
    return error_goes_on(err, permits_size(policy, needs, err));
}

/* Picks a host by name, or by asking which one knows a VM. */
#include "xmig/host.h"

#include "host/hosts.h"

const struct host_ops *const host_table[] = {
    &xen_host,
    &qemu_host,
    &simulated_host,
    NULL,
};

const char *run_state_name(enum run_state state)
{
    switch (state) {
    case RUN_UNKNOWN:
        return "unknown";
    case RUN_GONE:
        return "gone";
    case RUN_PAUSED:
        return "paused";
    case RUN_RUNNING:
        return "running";
    }
    return "unknown";
}

const struct host_ops *host_find(const char *name)
{
    for (const struct host_ops *const *ops = host_table; *ops; ops++)
        if (!strcmp((*ops)->name, name))
            return *ops;
    return NULL;
}

static const struct host_ops *named_by_prefix(const char *vm, const char **rest)
{
    for (const struct host_ops *const *ops = host_table; *ops; ops++) {
        size_t len = strlen((*ops)->name);

        if (!strncmp(vm, (*ops)->name, len) && vm[len] == ':') {
            *rest = vm + len + 1;
            return *ops;
        }
    }
    return NULL;
}

static bool refuse_unknown(const char *vm, struct error *err)
{
    AUTO_JSON cJSON *names = must(cJSON_CreateArray());
    const cJSON *name;

    for (const struct host_ops *const *ops = host_table; *ops; ops++)
        if ((*ops)->vms)
            (*ops)->vms(names);
    error_set(err, ERROR_REFUSED, "no running VM here is called '%s'; those that run: ", vm);
    cJSON_ArrayForEach (name, names)
        error_append(err, "%s%s", name == names->child ? "" : ", ", name->valuestring);
    return names->child ? false : error_append(err, "none that this user may look at");
}

const struct host_ops *host_for_vm(const char *vm, const char **rest, struct error *err)
{
    const struct host_ops *found = named_by_prefix(vm, rest);

    if (found)
        return found;
    *rest = vm;
    for (const struct host_ops *const *ops = host_table; *ops; ops++) {
        if (!(*ops)->knows || !(*ops)->knows(vm))
            continue;
        if (found) {
            error_set(err, ERROR_REFUSED,
                      "'%s' can be a VM of %s or of %s here: write '%s:%s' or '%s:%s'", vm,
                      found->name, (*ops)->name, found->name, vm, (*ops)->name, vm);
            return NULL;
        }
        found = *ops;
    }
    if (!found)
        refuse_unknown(vm, err);
    return found;
}

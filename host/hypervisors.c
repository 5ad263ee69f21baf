/* Picks a hypervisor by name, or by asking which one knows a VM. */
#include "host/hypervisors.h"

#include "xmig/hypervisor-calls.h"

const struct hypervisor *hypervisor_find(const char *name)
{
    for (const struct hypervisor *const *row = hypervisor_table; *row; row++)
        if (!strcmp((*row)->name, name))
            return *row;
    return NULL;
}

static const struct hypervisor *named_by_prefix(const char *vm, const char **rest)
{
    for (const struct hypervisor *const *row = hypervisor_table; *row; row++) {
        size_t len = strlen((*row)->name);

        if (!strncmp(vm, (*row)->name, len) && vm[len] == ':') {
            *rest = vm + len + 1;
            return *row;
        }
    }
    return NULL;
}

static bool refuse_unknown(const char *vm, struct error *err)
{
    AUTO_JSON cJSON *names = must(cJSON_CreateArray());
    const cJSON *name;

    for (const struct hypervisor *const *row = hypervisor_table; *row; row++)
        if ((*row)->vms)
            (*row)->vms(names);
    error_set(err, ERROR_REFUSED, "no running VM here is called '%s'; those that run: ", vm);
    cJSON_ArrayForEach (name, names)
        error_append(err, "%s%s", name == names->child ? "" : ", ", name->valuestring);
    return names->child ? false : error_append(err, "none that this user can see");
}

const struct hypervisor *hypervisor_for_vm(const char *vm, const char **rest, struct error *err)
{
    const struct hypervisor *found = named_by_prefix(vm, rest);

    if (found)
        return found;
    *rest = vm;
    for (const struct hypervisor *const *row = hypervisor_table; *row; row++) {
        if (!(*row)->knows || !(*row)->knows(vm))
            continue;
        if (found) {
            error_set(err, ERROR_REFUSED,
                      "'%s' can be a VM of %s or of %s here: write '%s:%s' or '%s:%s'", vm,
                      found->name, (*row)->name, found->name, vm, (*row)->name, vm);
            return NULL;
        }
        found = *row;
    }
    if (!found)
        refuse_unknown(vm, err);
    return found;
}

bool hypervisor_available(const struct hypervisor *hypervisor, struct error *err)
{
    return !hypervisor->available || hypervisor->available(err);
}

struct guest *hypervisor_guest(const struct hypervisor *hypervisor,
                               const struct vm_context *context, struct error *err)
{
    struct guest *guest;

    if (!hypervisor_available(hypervisor, err))
        return NULL;
    guest = hypervisor->guest_new();
    guest->hypervisor = hypervisor;
    guest->context = *context;
    return guest;
}

struct copy *hypervisor_copy(const struct hypervisor *hypervisor, const struct vm_context *context,
                             struct error *err)
{
    struct copy *copy;

    if (!hypervisor_available(hypervisor, err))
        return NULL;
    copy = hypervisor->copy_new();
    copy->hypervisor = hypervisor;
    copy->context = *context;
    return copy;
}

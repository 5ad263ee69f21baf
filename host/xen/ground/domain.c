/* Domains, as the hypervisor and xenstore know them. */
#include <ctype.h>
#include <stdio.h>

#include "host/xen/xen.h"

/* The call answers for the next domain if there is no such one. */
bool domain_info(xc_interface *xc, uint32_t domid, xc_domaininfo_t *info)
{
    return xc_domain_getinfolist(xc, domid, 1, info) == 1 && info->domain == domid;
}

void domain_uuid(const xc_domaininfo_t *info, char uuid[XEN_UUID_SIZE])
{
    char *out = uuid;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        out += sprintf(out, "%02x", info->handle[i]);
    }
}

static bool is_number(const char *text)
{
    while (isdigit((unsigned char)*text))
        text++;
    return !*text;
}

static bool has_name(struct xs_handle *xs, uint32_t domid, const char *name)
{
    AUTO_FREE char *present = store_read(xs, "/local/domain/%u/name", domid);

    return present && !strcmp(present, name);
}

/* Dom0 has a name, too, which nobody else may have. */
static bool find(xc_interface *xc, bool (*matches)(const xc_domaininfo_t *info, void *arg),
                 void *arg, uint32_t *domid)
{
    xc_domaininfo_t info;

    for (uint32_t next = 0; xc_domain_getinfolist(xc, next, 1, &info) == 1; next = info.domain + 1u)
        if (!(info.flags & XEN_DOMINF_dying) && matches(&info, arg)) {
            *domid = info.domain;
            return true;
        }
    return false;
}

struct named {
    struct xs_handle *xs;
    const char *name;
};

static bool is_named(const xc_domaininfo_t *info, void *arg)
{
    const struct named *named = arg;

    return has_name(named->xs, info->domain, named->name);
}

struct naming {
    struct xs_handle *xs;
    cJSON *names;
};

static bool add_name(const xc_domaininfo_t *info, void *arg)
{
    const struct naming *naming = arg;
    AUTO_FREE char *name = store_read(naming->xs, "/local/domain/%u/name", info->domain);

    if (name && info->domain != 0)
        cJSON_AddItemToArray(naming->names, must(cJSON_CreateString(name)));
    return false;
}

void domain_names(xc_interface *xc, struct xs_handle *xs, cJSON *names)
{
    struct naming naming = { xs, names };
    uint32_t none;

    (void)find(xc, add_name, &naming, &none);
}

bool domain_find(xc_interface *xc, struct xs_handle *xs, const char *name, uint32_t *domid)
{
    struct named named = { xs, name };
    xc_domaininfo_t info;

    if (find(xc, is_named, &named, domid))
        return true;
    if (!*name || !is_number(name))
        return false;
    *domid = (uint32_t)strtoul(name, NULL, 10);
    return *domid != 0 && domain_info(xc, *domid, &info);
}

struct with_uuid {
    const char *uuid;
    uint32_t besides;
};

static bool has_uuid(const xc_domaininfo_t *info, void *arg)
{
    const struct with_uuid *wanted = arg;
    char uuid[XEN_UUID_SIZE];

    domain_uuid(info, uuid);
    return info->domain != wanted->besides && !strcmp(uuid, wanted->uuid);
}

bool domain_find_uuid(xc_interface *xc, const char *uuid, uint32_t besides, uint32_t *domid)
{
    struct with_uuid wanted = { uuid, besides };

    return find(xc, has_uuid, &wanted, domid);
}

struct copy {
    const struct xen *vm;
};

static bool is_copy(const xc_domaininfo_t *info, void *arg)
{
    const struct copy *copy = arg;
    const struct xen *vm = copy->vm;
    char uuid[XEN_UUID_SIZE];

    domain_uuid(info, uuid);
    return info->domain != vm->domid &&
           (!strcmp(uuid, vm->uuid) || has_name(vm->xs, info->domain, vm->source.name));
}

bool domain_find_copy(const struct xen *vm, uint32_t *domid)
{
    struct copy copy = { vm };

    return find(vm->xc, is_copy, &copy, domid);
}

bool domain_is_shut_down(const xc_domaininfo_t *info, unsigned *reason)
{
    *reason = (info->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;
    return info->flags & XEN_DOMINF_shutdown;
}

enum run_state domain_state(xc_interface *xc, uint32_t domid, const char *uuid)
{
    xc_domaininfo_t info;
    char present[XEN_UUID_SIZE];

    if (!domid || !domain_info(xc, domid, &info) || info.flags & XEN_DOMINF_dying)
        return RUN_GONE;
    domain_uuid(&info, present);
    if (uuid && strcmp(present, uuid) != 0)
        return RUN_GONE;
    return info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_paused) ? RUN_PAUSED : RUN_RUNNING;
}

bool domain_is_held(const struct xen *vm)
{
    xc_domaininfo_t info;

    return domain_state(vm->xc, vm->domid, vm->uuid) == RUN_PAUSED &&
           domain_info(vm->xc, vm->domid, &info) && !(info.flags & XEN_DOMINF_shutdown);
}

bool domain_rename(struct xen *vm, const char *name, struct error *err)
{
    struct store_batch batch = { .domid = vm->domid };

    store_add(&batch, STORE_AS_ABOVE, name, "/local/domain/%u/name", vm->domid);
    store_add(&batch, STORE_AS_ABOVE, name, "/vm/%s/name", vm->uuid);
    return store_commit(vm->xs, &batch, err);
}

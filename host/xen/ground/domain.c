/* Find domains, and ask the hypervisor and xenstore about them. */
#include <ctype.h>
#include <stdio.h>

#include "host/xen/ground/domain.h"

/* If there is no such domain, the call returns the next one. */
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

/* Dom0 is searched as well: nobody else may have its name. */
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

struct alike {
    const struct xen *xen;
    const char *name;
};

static bool is_alike(const xc_domaininfo_t *info, void *arg)
{
    const struct alike *alike = arg;
    const struct xen *xen = alike->xen;
    char uuid[XEN_UUID_SIZE];

    domain_uuid(info, uuid);
    return info->domain != xen->domid &&
           (!strcmp(uuid, xen->uuid) ||
            (alike->name && has_name(xen->xs, info->domain, alike->name)));
}

bool domain_find_namesake(const struct xen *xen, const char *name, uint32_t *domid)
{
    struct alike alike = { xen, name };

    return find(xen->xc, is_alike, &alike, domid);
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

enum run_state xen_state(const struct xen *xen)
{
    return domain_state(xen->xc, xen->domid, xen->uuid);
}

bool domain_is_held(const struct xen *xen)
{
    xc_domaininfo_t info;

    return xen_state(xen) == RUN_PAUSED && domain_info(xen->xc, xen->domid, &info) &&
           !(info.flags & XEN_DOMINF_shutdown);
}

bool domain_time_run(const struct xen *xen, uint64_t *ns)
{
    xc_domaininfo_t info;
    char uuid[XEN_UUID_SIZE];

    if (xen->domid == 0 || !domain_info(xen->xc, xen->domid, &info))
        return false;
    domain_uuid(&info, uuid);
    *ns = info.cpu_time;
    return !strcmp(uuid, xen->uuid);
}

bool domain_rename(struct xen *xen, const char *name, struct error *err)
{
    struct store_batch batch = { .domid = xen->domid };

    store_add(&batch, STORE_AS_ABOVE, name, "/local/domain/%u/name", xen->domid);
    store_add(&batch, STORE_AS_ABOVE, name, "/vm/%s/name", xen->uuid);
    return store_commit(xen->xs, &batch, err);
}

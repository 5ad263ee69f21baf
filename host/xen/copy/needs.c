/* What a domain needs of the target host: memory, disks, devices, its device model's line, and what
 * libxl would make of its configuration at a reboot.
 */
#include "host/xen/copy/needs.h"

#include "host/needs/disks.h"
#include "host/xen/copy/copy.h"
#include "host/xen/ground/disk-nodes.h"
#include "host/xen/guest/movable.h"
#include "qmp/argv/rewriting.h"

/* ---- memory ---- */

/* A product that is no number is more than any limit. */
static uint64_t times(uint64_t number, uint64_t unit)
{
    uint64_t product;

    return __builtin_mul_overflow(number, unit, &product) ? UINT64_MAX : product;
}

static void add_memory(const struct xen_domain *xen, struct needs *needs)
{
    const cJSON *info = json_get(xen->config, "b_info");
    const uint64_t amounts[] = { times(xen->pages, XEN_PAGE), times(xen->max_pages, XEN_PAGE),
                                 times(json_uint_or(info, "max_memkb", 0), 1024) };
    uint64_t most = 0;

    for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++)
        most = amounts[i] > most ? amounts[i] : most;
    needs_add(needs, NEED_MEMORY, "", most, "%s", "");
}

/* ---- devices ---- */

static void add(struct needs *needs, enum need_kind kind, const char *what, const char *id)
{
    if (!needs_have(needs, kind, what))
        needs_add(needs, kind, what, 0, "device '%s'", id);
}

static void add_vif(const cJSON *keys, const char *id, struct needs *needs)
{
    const char *script = json_string_or(keys, "script", XEN_OWN_SCRIPT);
    const char *names[] = { json_string_or(keys, "bridge", ""),
                            json_string_or(keys, "gatewaydev", ""),
                            json_string_or(keys, "vifname", "") };

    if (strcmp(script, XEN_OWN_SCRIPT) != 0)
        add(needs, NEED_SCRIPT, script, id);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (*names[i])
            add(needs, NEED_BRIDGE, names[i], id);
}

/* What a node says of a disk that moves, or of a medium, is replaced here. */
static void add_vbd(const struct xen_domain *xen, const struct disk_params *disks,
                    const struct xen_device *device, struct needs *needs)
{
    const cJSON *keys = device->backend_keys;
    const char *id = device->id, *dev = json_string_or(keys, "dev", "");
    const char *params = json_string_or(keys, "params", "");
    const char *path = disk_node_path(params);
    const char *script = json_string_or(keys, "script", NULL);
    struct xen_medium medium;

    if (json_string_or(keys, "physical-device", NULL))
        add(needs, NEED_UNKNOWN, "a block device by its number", id);
    if (script)
        add(needs, NEED_SCRIPT, script, id);
    if (is_disks_name(disks, dev) ||
        (media_find(xen->media, dev, &medium) && !strcmp(path, medium.source)))
        return;
    if (*path && *params != '/' && strncmp(params, "aio:", 4) != 0)
        add(needs, NEED_UNKNOWN, params, id);
    if (*path)
        add(needs, disk_node_moves(keys) ? NEED_FILE : NEED_READ, path, id);
}

/* Others lead to things of this host. */
static void add_device(const struct xen_domain *xen, const struct disk_params *disks,
                       const struct xen_device *device, struct needs *needs)
{
    static const char *const kinds[] = { "vif", "vbd", "vfb", "vkbd", NULL };
    static const char *const backends[] = { "vif", "vbd", "qdisk", "vfb", "vkbd", NULL };
    const char *kind = device->kind, *id = device->id;
    const cJSON *keys = device->backend_keys;
    const char *listen = json_string_or(keys, "vnclisten", "");

    if (!word_is_among(kind, kinds) || id[strspn(id, "0123456789")] ||
        !word_is_among(device->backend, backends))
        add(needs, NEED_UNKNOWN, kind, id);
    else if (!strcmp(kind, "vif"))
        add_vif(keys, id, needs);
    else if (!strcmp(kind, "vbd"))
        add_vbd(xen, disks, device, needs);
    else if (*listen)
        display_need(listen, json_uint_or(keys, "vncdisplay", 0), true, needs);
}

/* ---- the public face ---- */

static bool line_needs(const struct xen_params *params, const struct disk_params *disks,
                       struct needs *needs, struct error *err)
{
    struct argv_result found = { 0 };
    bool ok = error_goes_on(err, xen_argv_arrived(params->xen.words, params, &found, err));

    words_need(params->xen.words, disks, &found, needs);
    argv_result_done(&found);
    return ok;
}

bool domain_needs(const struct xen_params *params, const char *program, bool mirrored,
                  struct needs *needs, struct error *err)
{
    const struct xen_domain *xen = &params->xen;
    size_t count;
    AUTO_FREE struct disk_params *disks = disk_params_all(params->disks, &count, err);
    struct xen_device device;
    struct xen_medium medium;
    struct needed_file file;
    const cJSON *item;

    if (!disks)
        return false;
    if (*program)
        needs_add(needs, NEED_PROGRAM, program, 0, "%s", "");
    add_memory(xen, needs);
    disks_need(disks, mirrored, needs);
    fields_each (item, xen->media, xen_medium_fields, &medium)
        medium_need(medium.name, medium.image, "raw", needs);
    fields_each (item, xen->devices, xen_device_fields, &device)
        add_device(xen, disks, &device, needs);
    paths_need(xen->needs, NEED_READ, needs);
    fields_each (item, xen->hashes, needed_file_fields, &file)
        if (!needs_have(needs, NEED_READ, file.path))
            needs_add(needs, NEED_READ, file.path, 0, "%s", "");
    config_needs(params, disks, needs);
    return line_needs(params, disks, needs, err) &&
           error_goes_on(err, check_movable_config(xen->config, err));
}

bool xen_needs(const struct copy *copy, const cJSON *json, struct needs *needs, struct error *err)
{
    struct xen_params params;
    AUTO_FREE char *program = NULL;

    if (!xen_params_read(json, &params, err))
        return false;
    if (*params.xen.program)
        program = xen_find_program(&params.xen, copy->context.policy);
    return domain_needs(&params, program ? program : params.xen.program,
                        copy->context.options.mirrors_disks, needs, err);
}

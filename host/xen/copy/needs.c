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

static void add_memory(const cJSON *xen, struct needs *needs)
{
    const cJSON *info = json_get(json_get(xen, "config"), "b_info");
    const uint64_t amounts[] = { times(json_uint_or(xen, "pages", 0), XEN_PAGE),
                                 times(json_uint_or(xen, "max_pages", 0), XEN_PAGE),
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
static void add_vbd(const cJSON *params, const cJSON *keys, const char *id, struct needs *needs)
{
    const cJSON *xen = json_get(params, "xen");
    const char *dev = json_string_or(keys, "dev", "");
    const cJSON *medium = item_named(json_get(xen, "media"), dev);
    const char *path = disk_node_path(json_string_or(keys, "params", ""));
    const char *script = json_string_or(keys, "script", NULL);

    if (json_string_or(keys, "physical-device", NULL))
        add(needs, NEED_UNKNOWN, "a block device by its number", id);
    if (script)
        add(needs, NEED_SCRIPT, script, id);
    if (item_named(json_get(params, "disks"), dev) ||
        (medium && !strcmp(path, json_string_or(medium, "source", ""))))
        return;
    if (*path && *json_string_or(keys, "params", "") != '/' &&
        strncmp(json_string_or(keys, "params", ""), "aio:", 4) != 0)
        add(needs, NEED_UNKNOWN, json_string_or(keys, "params", ""), id);
    if (*path)
        add(needs, disk_node_moves(keys) ? NEED_FILE : NEED_READ, path, id);
}

/* Others lead to things of this host. */
static void add_device(const cJSON *params, const cJSON *device, struct needs *needs)
{
    static const char *const kinds[] = { "vif", "vbd", "vfb", "vkbd", NULL };
    static const char *const backends[] = { "vif", "vbd", "qdisk", "vfb", "vkbd", NULL };
    const char *kind = json_string_or(device, "kind", "");
    const char *id = json_string_or(device, "id", "");
    const cJSON *keys = json_get(device, "backend_keys");
    const char *listen = json_string_or(keys, "vnclisten", "");

    if (!word_is_among(kind, kinds) || !*id || id[strspn(id, "0123456789")] ||
        !word_is_among(json_string_or(device, "backend", ""), backends))
        add(needs, NEED_UNKNOWN, *kind ? kind : "a device", id);
    else if (!strcmp(kind, "vif"))
        add_vif(keys, id, needs);
    else if (!strcmp(kind, "vbd"))
        add_vbd(params, keys, id, needs);
    else if (*listen)
        display_need(listen, json_uint_or(keys, "vncdisplay", 0), true, needs);
}

/* ---- the public face ---- */

bool domain_needs(const cJSON *params, const char *program, bool mirrored, struct needs *needs,
                  struct error *err)
{
    const cJSON *xen = json_object(params, "xen", err);
    const cJSON *config = xen ? json_object(xen, "config", err) : NULL;
    const cJSON *words = config ? json_array(xen, "words", err) : NULL;
    const cJSON *device, *hash;

    if (!words)
        return false;
    needs_add(needs, NEED_PROGRAM, program, 0, "%s", "");
    add_memory(xen, needs);
    disks_need(json_get(params, "disks"), mirrored, needs);
    media_need(json_get(xen, "media"), "raw", needs);
    cJSON_ArrayForEach (device, json_get(xen, "devices"))
        add_device(params, device, needs);
    paths_need(json_get(xen, "needs"), NEED_READ, needs);
    cJSON_ArrayForEach (hash, json_get(xen, "hashes"))
        if (!needs_have(needs, NEED_READ, json_string_or(hash, "path", "")))
            needs_add(needs, NEED_READ, json_string_or(hash, "path", ""), 0, "%s", "");
    words_need(words, json_get(params, "disks"), needs);
    config_needs(config, json_get(params, "disks"), json_get(xen, "media"), needs);
    return error_goes_on(err, check_movable_config(config, err));
}

bool xen_needs(const struct copy *copy, const cJSON *params, struct needs *needs, struct error *err)
{
    struct xen_params read;
    AUTO_FREE char *program = NULL;

    if (!xen_params_read(params, &read, err))
        return false;
    program = xen_find_program(&read.xen, true);
    return domain_needs(params, program ? program : read.xen.program,
                        copy->context.options.mirrors_disks, needs, err);
}

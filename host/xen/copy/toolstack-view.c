/* Write what xl and other tools of libxl look at: the domain's configuration, its consoles and its
 * network interfaces. Most of it does not depend on the guest's memory and is written early.
 */
#include <stdio.h>

#include "host/xen/copy/copy.h"
#include "host/xen/ground/config.h"
#include "xmig/text.h"

enum {
    CONSOLE_LIMIT = 1048576 /* bytes that xenconsoled keeps while nobody reads */
};

/* ---- libxl's configuration ---- */

static void replace(cJSON *object, const char *name, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    cJSON_AddStringToObject(object, name, value);
}

static void set_disk(const struct xen_copy *vm, cJSON *config, const struct disk_params *disk)
{
    cJSON *item;

    cJSON_ArrayForEach (item, json_get(config, "disks")) {
        if (strcmp(json_string_or(item, "vdev", ""), disk->name) != 0)
            continue;
        replace(item, "pdev_path", disk->image);
        if (vm->base.context.options.mirrors_disks) {
            replace(item, "backend", vbd_is_kernels(vm, disk->name) ? "phy" : "qdisk");
            cJSON_DeleteItemFromObjectCaseSensitive(item, "script");
        }
    }
}

static void set_medium(cJSON *config, const struct xen_medium *medium)
{
    cJSON *item;

    cJSON_ArrayForEach (item, json_get(config, "disks")) {
        if (strcmp(json_string_or(item, "vdev", ""), medium->name) != 0)
            continue;
        cJSON_DeleteItemFromObjectCaseSensitive(item, "pdev_path");
        if (*medium->image)
            cJSON_AddStringToObject(item, "pdev_path", medium->image);
        else
            replace(item, "format", "empty");
    }
}

/* Extra arguments for the device model may name files that have another name here. */
static void set_arguments(const struct xen_copy *vm, cJSON *config)
{
    static const char *const lists[] = { "extra", "extra_hvm" };
    cJSON *info = json_get(config, "b_info") ? cJSON_GetObjectItem(config, "b_info") : NULL;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        xen_argv_rename(cJSON_GetObjectItem(info, lists[i]), vm->params.xen.renamed);
}

static bool write_config(struct xen_copy *vm, struct error *err)
{
    AUTO_JSON cJSON *config = must(cJSON_Duplicate(vm->params.xen.config, true));
    cJSON *info = cJSON_GetObjectItem(config, "c_info");
    struct xen_medium medium;
    const cJSON *item;

    replace(info, "name", vm->params.name);
    replace(info, "uuid", vm->xen.uuid);
    for (size_t i = 0; i < vm->images.disk_count; i++)
        set_disk(vm, config, &vm->images.disks[i]);
    fields_each (item, vm->params.xen.media, xen_medium_fields, &medium)
        set_medium(config, &medium);
    set_arguments(vm, config);
    return config_write(vm->xen.domid, vm->xen.uuid, config, err);
}

/* ---- consoles of the device model ---- */

static bool write_serial(struct xen_copy *vm, struct error *err)
{
    AUTO_JSON cJSON *devices = NULL;
    const cJSON *device;

    if (!qmp_call(vm->xen.q, "query-chardev", NULL, &devices, err))
        return false;
    cJSON_ArrayForEach (device, devices) {
        const char *file = json_string_or(device, "filename", "");
        unsigned port;

        if (sscanf(json_string_or(device, "label", ""), "serial%u", &port) == 1 &&
            !strncmp(file, "pty:", 4) &&
            !store_write(vm->xen.xs, err, file + 4, "/local/domain/%u/serial/%u/tty", vm->xen.domid,
                         port))
            return false;
    }
    return true;
}

static bool write_vnc(struct xen_copy *vm, struct error *err)
{
    AUTO_JSON cJSON *vnc = NULL;

    if (!qmp_call(vm->xen.q, "query-vnc", NULL, &vnc, NULL) || !json_true(vnc, "enabled"))
        return true;
    return store_write(vm->xen.xs, err, json_string_or(vnc, "host", ""),
                       "/local/domain/%u/console/vnc-listen", vm->xen.domid) &&
           store_write(vm->xen.xs, err, json_string_or(vnc, "service", ""),
                       "/local/domain/%u/console/vnc-port", vm->xen.domid);
}

/* ---- memory and console ---- */

static bool is_online(const struct xen_copy *vm, unsigned vcpu)
{
    const cJSON *online = json_get(xen_build_info(vm), "avail_vcpus");
    const cJSON *item;

    cJSON_ArrayForEach (item, online)
        if (item->valueint == (int)vcpu)
            return true;
    return !online;
}

static bool write_memory(struct xen_copy *vm, struct error *err)
{
    struct store_batch batch = { .domid = vm->xen.domid };
    uint64_t static_max =
        json_uint_or(xen_build_info(vm), "max_memkb", vm->params.xen.max_pages * XEN_PAGE / 1024);

    store_add_number(&batch, STORE_AS_ABOVE, (long long)static_max,
                     "/local/domain/%u/memory/static-max", vm->xen.domid);
    store_add_number(&batch, STORE_AS_ABOVE, (long long)vm->params.xen.memory_target,
                     "/local/domain/%u/memory/target", vm->xen.domid);
    store_add_number(&batch, STORE_AS_ABOVE, (long long)vm->params.xen.videoram,
                     "/local/domain/%u/memory/videoram", vm->xen.domid);
    store_add_number(&batch, STORE_AS_ABOVE, vm->xen.domid, "/local/domain/%u/domid",
                     vm->xen.domid);
    store_add_number(&batch, STORE_AS_ABOVE, vm->store_port, "/local/domain/%u/store/port",
                     vm->xen.domid);
    for (unsigned i = 0; i < vm->params.xen.vcpus; i++)
        store_add(&batch, STORE_AS_ABOVE, is_online(vm, i) ? "online" : "offline",
                  "/local/domain/%u/cpu/%u/availability", vm->xen.domid, i);
    return store_commit(vm->xen.xs, &batch, err);
}

static bool write_console(struct xen_copy *vm, struct error *err)
{
    struct store_batch batch = { .domid = vm->xen.domid };
    AUTO_FREE char *back = formatted("/local/domain/0/backend/console/%u/0", vm->xen.domid);
    AUTO_FREE char *front = formatted("/local/domain/%u/console", vm->xen.domid);
    AUTO_FREE char *libxl = formatted("/libxl/%u/device/console/0", vm->xen.domid);

    store_add(&batch, STORE_GUEST_READS, "", "%s", front);
    store_add(&batch, STORE_GUEST_READS, "", "%s", back);
    store_add(&batch, STORE_DOM0_ONLY, "", "%s", libxl);
    store_add(&batch, STORE_AS_ABOVE, back, "%s/backend", libxl);
    for (int i = 0; i < 2; i++) {
        const char *where = i ? libxl : back;

        store_add(&batch, STORE_AS_ABOVE, front, "%s/frontend", where);
        store_add_number(&batch, STORE_AS_ABOVE, vm->xen.domid, "%s/frontend-id", where);
        store_add(&batch, STORE_AS_ABOVE, "1", "%s/online", where);
        store_add(&batch, STORE_AS_ABOVE, "1", "%s/state", where);
        store_add(&batch, STORE_AS_ABOVE, "vt100", "%s/protocol", where);
    }
    store_add(&batch, STORE_AS_ABOVE, back, "%s/backend", front);
    store_add(&batch, STORE_AS_ABOVE, "0", "%s/backend-id", front);
    store_add_number(&batch, STORE_AS_ABOVE, CONSOLE_LIMIT, "%s/limit", front);
    store_add(&batch, STORE_AS_ABOVE, "xenconsoled", "%s/type", front);
    store_add(&batch, STORE_AS_ABOVE, "pty", "%s/output", front);
    store_add(&batch, STORE_AS_ABOVE, "", "%s/tty", front);
    store_add_number(&batch, STORE_AS_ABOVE, vm->console_port, "%s/port", front);
    return store_commit(vm->xen.xs, &batch, err);
}

/* ---- the public face ---- */

bool toolstack_view_write(struct xen_copy *vm, struct error *err)
{
    return write_config(vm, err) &&
           (!vm->xen.has_model || (write_serial(vm, err) && write_vnc(vm, err))) &&
           write_memory(vm, err) && write_console(vm, err) && devices_write_vifs(vm, err) &&
           hotplug_vifs(vm, HOTPLUG_ONLINE, err);
}

bool toolstack_view_write_rings(struct xen_copy *vm, struct error *err)
{
    AUTO_FREE char *store = formatted("%lu", vm->store_gfn);
    AUTO_FREE char *console = formatted("%lu", vm->console_gfn);

    return store_write(vm->xen.xs, err, store, "/local/domain/%u/store/ring-ref", vm->xen.domid) &&
           store_write(vm->xen.xs, err, console, "/local/domain/%u/console/ring-ref",
                       vm->xen.domid);
}

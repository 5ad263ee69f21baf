/* Write and remove the nodes of a domain's devices: frontend, backend and libxl's own, which refer
 * to each other. The console's nodes are written by toolstack-view.c.
 */
#include "host/xen/copy/copy.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host/images/disk-device.h"
#include "xmig/text.h"

enum {
    BACKEND_MS = 20000,
    POLL_MS = 10,
    STATE_INIT_WAIT = 2,
    STATE_CLOSING = 5,
    STATE_CLOSED = 6
};

/* ---- writing ---- */

static void replace(cJSON *keys, const char *name, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(keys, name);
    if (value)
        cJSON_AddStringToObject(keys, name, value);
}

static bool is_changed(const struct xen_medium *medium)
{
    return strcmp(medium->image, medium->source) != 0;
}

/* For an empty drive libxl writes "aio:" when it makes the drive and "" when it empties it. Write
 * "aio:": QEMU 7.2 exits when a device with "" appears.
 */
static void set_medium(cJSON *keys, const struct xen_medium *medium)
{
    AUTO_FREE char *params = formatted("aio:%s", medium->image);

    if (*medium->image && !is_changed(medium))
        return;
    replace(keys, "params", params);
    replace(keys, "type", "qdisk");
    replace(keys, "script", NULL);
}

bool disk_is_kernels_here(const struct xen_copy *vm, const struct disk_params *disk)
{
    struct xen_device device;
    const cJSON *item;

    if (!vm->base.context.options.mirrors_disks || !disk_device_is(disk->image))
        return false;
    fields_each (item, vm->params.xen.devices, xen_device_fields, &device)
        if (!strcmp(device.kind, "vbd") && !strcmp(device.backend, "vbd") &&
            !strcmp(json_string_or(device.backend_keys, "dev", ""), disk->name))
            return true;
    return false;
}

/* As libxl and its script for block devices write it; that script would change nothing then. */
static void set_kernels_disk(cJSON *keys, const struct disk_params *disk)
{
    AUTO_FREE char *numbers = NULL;
    struct stat st = { 0 };

    (void)stat(disk->image, &st); /* a device 0:0 is nobody's */
    numbers = formatted("%x:%x", major(st.st_rdev), minor(st.st_rdev));
    replace(keys, "params", disk->image);
    replace(keys, "type", "phy");
    replace(keys, "script", XEN_BLOCK_SCRIPT);
    replace(keys, "physical-device", numbers);
    replace(keys, "physical-device-path", disk->image);
    replace(keys, "hotplug-status", "connected");
}

static void set_qdisk(cJSON *keys, const struct disk_params *disk, bool was_copied)
{
    const char *driver = disk->format && strcmp(disk->format, "raw") != 0 ? disk->format : "aio";
    AUTO_FREE char *params = formatted("%s:%s", driver, disk->image);

    replace(keys, "params", params);
    if (was_copied) {
        replace(keys, "type", "qdisk");
        replace(keys, "script", NULL);
    }
}

/* Tell the backend its image. */
static void set_disk(const struct xen_copy *vm, cJSON *keys)
{
    const char *dev = json_string_or(keys, "dev", "");
    struct xen_medium medium;
    const struct disk_params *disk = disk_images_find(&vm->images, dev);

    if (media_find(vm->params.xen.media, dev, &medium))
        set_medium(keys, &medium);
    if (!disk)
        return;
    if (disk_is_kernels_here(vm, disk))
        set_kernels_disk(keys, disk);
    else
        set_qdisk(keys, disk, vm->base.context.options.mirrors_disks);
}

/* What was copied is served by the device model, unless the kernel has a block device to serve as
 * it did at the source.
 */
static const char *backend_of(const struct xen_copy *vm, const struct xen_device *device)
{
    const char *dev = json_string_or(device->backend_keys, "dev", "");
    const struct disk_params *disk = disk_images_find(&vm->images, dev);
    struct xen_medium medium;

    if (strcmp(device->kind, "vbd") != 0)
        return device->backend;
    if (vm->base.context.options.mirrors_disks && disk)
        return disk_is_kernels_here(vm, disk) ? "vbd" : "qdisk";
    if (media_find(vm->params.xen.media, dev, &medium) && is_changed(&medium))
        return "qdisk";
    return device->backend;
}

static bool is_written_anew(const char *key)
{
    return !strcmp(key, "frontend") || !strcmp(key, "backend") || !strcmp(key, "frontend-id") ||
           !strcmp(key, "state") || !strcmp(key, "online");
}

static void add_keys(struct store_batch *batch, const cJSON *keys, const char *back,
                     const char *libxl)
{
    const cJSON *key;

    cJSON_ArrayForEach (key, keys) {
        if (is_written_anew(key->string))
            continue;
        store_add(batch, STORE_AS_ABOVE, key->valuestring, "%s/%s", back, key->string);
        store_add(batch, STORE_AS_ABOVE, key->valuestring, "%s/%s", libxl, key->string);
    }
}

static bool write_device(struct xen_copy *vm, const struct xen_device *device, struct error *err)
{
    struct store_batch batch = { .domid = vm->xen.domid };
    const char *kind = device->kind, *id = device->id;
    const char *backend = backend_of(vm, device);
    AUTO_JSON cJSON *keys = must(cJSON_Duplicate(device->backend_keys, true));
    static const char *const of_the_source[] = { "hotplug-status", "physical-device",
                                                 "physical-device-path" };
    AUTO_FREE char *back =
        formatted("/local/domain/0/backend/%s/%u/%s", backend, vm->xen.domid, id);
    AUTO_FREE char *front = formatted("/local/domain/%u/device/%s/%s", vm->xen.domid, kind, id);
    AUTO_FREE char *libxl = formatted("/libxl/%u/device/%s/%s", vm->xen.domid, kind, id);
    const cJSON *key;

    for (size_t i = 0; i < sizeof(of_the_source) / sizeof(of_the_source[0]); i++)
        replace(keys, of_the_source[i], NULL);
    if (!strcmp(kind, "vbd"))
        set_disk(vm, keys);
    store_add(&batch, STORE_GUEST_READS, "", "%s", back);
    store_add(&batch, STORE_FRONTEND, "", "%s", front);
    store_add(&batch, STORE_DOM0_ONLY, "", "%s", libxl);
    store_add(&batch, STORE_AS_ABOVE, front, "%s/frontend", back);
    store_add(&batch, STORE_AS_ABOVE, front, "%s/frontend", libxl);
    store_add(&batch, STORE_AS_ABOVE, back, "%s/backend", front);
    store_add(&batch, STORE_AS_ABOVE, back, "%s/backend", libxl);
    store_add(&batch, STORE_AS_ABOVE, "0", "%s/backend-id", front);
    store_add(&batch, STORE_AS_ABOVE, "1", "%s/state", front);
    add_keys(&batch, keys, back, libxl);
    for (int i = 0; i < 2; i++) {
        const char *where = i ? libxl : back;

        store_add_number(&batch, STORE_AS_ABOVE, vm->xen.domid, "%s/frontend-id", where);
        store_add(&batch, STORE_AS_ABOVE, "1", "%s/online", where);
        store_add(&batch, STORE_AS_ABOVE, "1", "%s/state", where);
    }
    cJSON_ArrayForEach (key, device->frontend_keys)
        store_add(&batch, STORE_AS_ABOVE, key->valuestring, "%s/%s", front, key->string);
    return store_commit(vm->xen.xs, &batch, err);
}

/* These nodes exist before the device model starts: QEMU 10 exits when a keyboard appears later,
 * and opening the disks takes a while, in which the guest should still run at the source.
 */
bool devices_write_early(struct xen_copy *vm, struct error *err)
{
    struct xen_device device;
    const cJSON *item;

    fields_each (item, vm->params.xen.devices, xen_device_fields, &device)
        if (strcmp(device.kind, "vif") != 0 && !write_device(vm, &device, err))
            return false;
    return true;
}

bool devices_write_vifs(struct xen_copy *vm, struct error *err)
{
    struct xen_device device;
    const cJSON *item;

    fields_each (item, vm->params.xen.devices, xen_device_fields, &device)
        if (!strcmp(device.kind, "vif") && !write_device(vm, &device, err))
            return false;
    return true;
}

/* ---- waiting ---- */

static bool await_state(struct xen_copy *vm, const char *backend, int wanted, uint64_t timeout_ms,
                        struct error *err)
{
    uint64_t deadline = loop_now_ms() + timeout_ms;

    for (;;) {
        long state = store_number(vm->xen.xs, -1, "%s/state", backend);

        if (state == wanted || (state < 0 && wanted == STATE_CLOSED))
            return true;
        if (loop_now_ms() >= deadline)
            return error_set(err, ERROR_TIMEOUT, "the backend '%s' is in state %ld, not %d",
                             backend, state, wanted);
        if (!loop_pause(vm->base.context.loop, POLL_MS, err))
            return false;
    }
}

/* For an empty drive no backend opens an image. */
static bool is_empty(const struct xen_copy *vm, const struct xen_device *device)
{
    const char *dev = json_string_or(device->backend_keys, "dev", "");
    struct xen_medium medium;

    return media_find(vm->params.xen.media, dev, &medium) && !*medium.image;
}

bool devices_await_disks(struct xen_copy *vm, struct error *err)
{
    struct xen_device device;
    const cJSON *item;

    fields_each (item, vm->params.xen.devices, xen_device_fields, &device) {
        AUTO_FREE char *path = NULL;

        if (strcmp(device.kind, "vbd") != 0 || is_empty(vm, &device))
            continue;
        path = formatted("/local/domain/0/backend/%s/%u/%s", backend_of(vm, &device), vm->xen.domid,
                         device.id);
        if (!await_state(vm, path, STATE_INIT_WAIT, BACKEND_MS, err))
            return false;
    }
    return true;
}

/* ---- removal ---- */

/* Ask a kernel backend to close; the device model's backends are gone with it. */
static bool remove_backend(struct xen_copy *vm, const char *path, struct error *err)
{
    char backend[32];
    AUTO_FREE char *state = store_read(vm->xen.xs, "%s/state", path);

    if (sscanf(path, "/local/domain/0/backend/%31[^/]/", backend) != 1)
        return true;
    if (state && (!strcmp(backend, "vif") || !strcmp(backend, "vbd"))) {
        (void)store_write(vm->xen.xs, NULL, "0", "%s/online", path);
        (void)store_write(vm->xen.xs, NULL, "5", "%s/state", path);
        (void)await_state(vm, path, STATE_CLOSED, BACKEND_MS / 4, NULL);
    }
    return store_remove(vm->xen.xs, err, "%s", path) &&
           store_remove(vm->xen.xs, err, "/local/domain/0/backend/%s/%u", backend, vm->xen.domid);
}

bool devices_remove(struct xen_copy *vm, struct error *err)
{
    AUTO_JSON cJSON *kinds = store_list(vm->xen.xs, "/libxl/%u/device", vm->xen.domid);
    const cJSON *kind, *id;

    cJSON_ArrayForEach (kind, kinds) {
        AUTO_JSON cJSON *ids =
            store_list(vm->xen.xs, "/libxl/%u/device/%s", vm->xen.domid, kind->valuestring);

        cJSON_ArrayForEach (id, ids) {
            AUTO_FREE char *path = store_read(vm->xen.xs, "/libxl/%u/device/%s/%s/backend",
                                              vm->xen.domid, kind->valuestring, id->valuestring);

            if (path && !remove_backend(vm, path, err))
                return false;
        }
    }
    return true;
}

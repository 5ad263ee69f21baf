/* Write and remove the nodes of a domain's devices: frontend, backend and libxl's own, which refer
 * to each other. The console's nodes are written by toolstack-view.c.
 */
#include "host/xen/copy/copy.h"

#include <stdio.h>

#include "host/xen/ground/vbd.h"
#include "xmig/text.h"

enum {
    BACKEND_MS = 20000,
    POLL_MS = 10,
    STATE_INIT_WAIT = 2,
    STATE_CLOSING = 5,
    STATE_CLOSED = 6
};

/* ---- writing ---- */

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
    const char *backend = vbd_backend(vm, device);
    AUTO_JSON cJSON *keys = must(cJSON_Duplicate(device->backend_keys, true));
    AUTO_FREE char *back =
        formatted("/local/domain/0/backend/%s/%u/%s", backend, vm->xen.domid, id);
    AUTO_FREE char *front = formatted("/local/domain/%u/device/%s/%s", vm->xen.domid, kind, id);
    AUTO_FREE char *libxl = formatted("/libxl/%u/device/%s/%s", vm->xen.domid, kind, id);
    const cJSON *key;

    cJSON_DeleteItemFromObjectCaseSensitive(keys, "hotplug-status"); /* of the source's script */
    if (!strcmp(kind, "vbd"))
        vbd_write_keys(vm, device, keys);
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

/* The backend says that it is ready before it has opened its device, and goes on saying so if it
 * cannot: what it has open is what counts.
 */
static bool await_kernel(struct xen_copy *vm, const struct xen_device *device, struct error *err)
{
    uint64_t deadline = loop_now_ms() + BACKEND_MS;
    dev_t wanted = vbd_number(vm, device), open;

    while (!vbd_device(VBD_DEVICES, vm->xen.domid, device->id, &open)) {
        AUTO_FREE char *why = store_read(
            vm->xen.xs, "/local/domain/0/error/backend/vbd/%u/%s/error", vm->xen.domid, device->id);

        if (why || loop_now_ms() >= deadline)
            return error_set(err, ERROR_SYSTEM, "the kernel does not open '%s': %s",
                             vbd_image(vm, device), why ? why : "it says nothing");
        if (!loop_pause(vm->base.context.loop, POLL_MS, err))
            return false;
    }
    return open == wanted ||
           error_set(err, ERROR_SYSTEM, "the kernel has opened another device than '%s'",
                     vbd_image(vm, device));
}

bool devices_await_disks(struct xen_copy *vm, struct error *err)
{
    struct xen_device device;
    const cJSON *item;

    fields_each (item, vm->params.xen.devices, xen_device_fields, &device) {
        AUTO_FREE char *path = NULL;
        const char *backend = vbd_backend(vm, &device);

        if (strcmp(device.kind, "vbd") != 0 || is_empty(vm, &device))
            continue;
        path = formatted("/local/domain/0/backend/%s/%u/%s", backend, vm->xen.domid, device.id);
        if (!await_state(vm, path, STATE_INIT_WAIT, BACKEND_MS, err) ||
            (!strcmp(backend, "vbd") && !await_kernel(vm, &device, err)))
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

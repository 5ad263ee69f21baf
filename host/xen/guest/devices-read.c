/* Read the guest's devices from libxl's nodes, and look later whether they have changed. */
#include "host/xen/guest/guest.h"

#include <stdio.h>

#include "host/xen/ground/disk-nodes.h"

enum {
    STATE_CONNECTED = 4 /* xen/io/xenbus.h */
};

bool device_is_connected(struct xen_guest *vm, const char *kind, const char *id)
{
    return store_number(vm->xen.xs, 0, "/local/domain/%u/device/%s/%s/state", vm->xen.domid, kind,
                        id) == STATE_CONNECTED;
}

/* ---- a snapshot ---- */

static cJSON *read_nodes(struct xen_guest *vm)
{
    AUTO_JSON cJSON *kinds = store_list(vm->xen.xs, "/libxl/%u/device", vm->xen.domid);
    cJSON *nodes = must(cJSON_CreateObject());
    const cJSON *kind, *id;

    cJSON_ArrayForEach (kind, kinds) {
        AUTO_JSON cJSON *ids =
            store_list(vm->xen.xs, "/libxl/%u/device/%s", vm->xen.domid, kind->valuestring);
        cJSON *devices;

        if (!strcmp(kind->valuestring, "console"))
            continue;
        devices = cJSON_AddObjectToObject(nodes, kind->valuestring);
        cJSON_ArrayForEach (id, ids)
            cJSON_AddItemToObject(devices, id->valuestring,
                                  store_values(vm->xen.xs, "/libxl/%u/device/%s/%s", vm->xen.domid,
                                               kind->valuestring, id->valuestring));
    }
    return nodes;
}

bool device_snapshot_take(struct xen_guest *vm, struct device_snapshot *snapshot, struct error *err)
{
    *snapshot = (struct device_snapshot){ .nodes = read_nodes(vm) };
    return guest_model_blocks(vm, &snapshot->blocks, err);
}

void device_snapshot_done(struct device_snapshot *snapshot)
{
    cJSON_Delete(steal(snapshot->nodes));
    cJSON_Delete(steal(snapshot->blocks));
}

/* ---- devices ---- */

/* Of a frontend's keys, copy those that the toolstack has written, not the guest's own. */
static cJSON *read_frontend(struct xen_guest *vm, const char *kind, const char *id)
{
    static const char *const names[] = { "virtual-device", "device-type", "trusted",
                                         "handle",         "mac",         "mtu" };
    cJSON *keys = must(cJSON_CreateObject());

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        AUTO_FREE char *value = store_read(vm->xen.xs, "/local/domain/%u/device/%s/%s/%s",
                                           vm->xen.domid, kind, id, names[i]);

        if (value)
            cJSON_AddStringToObject(keys, names[i], value);
    }
    return keys;
}

static void cross_bridge(const struct xen_guest *vm, cJSON *keys)
{
    const char *bridge = json_string_or(keys, "bridge", "");
    const char *other = json_string_or(vm->base.context.options.bridges, bridge, NULL);

    if (!other)
        return;
    cJSON_DeleteItemFromObjectCaseSensitive(keys, "bridge");
    cJSON_AddStringToObject(keys, "bridge", other);
}

/* What a disk is served from is found anew at the target; of one that is copied, how, too. */
static void leave_out(const struct xen_guest *vm, const char *kind, cJSON *keys)
{
    if (strcmp(kind, "vbd") != 0)
        return;
    cJSON_DeleteItemFromObjectCaseSensitive(keys, "physical-device");
    cJSON_DeleteItemFromObjectCaseSensitive(keys, "physical-device-path");
    if (vm->base.context.options.mirrors_disks && disk_node_moves(keys))
        cJSON_DeleteItemFromObjectCaseSensitive(keys, "script");
}

static bool read_device(struct xen_guest *vm, cJSON *devices, const char *kind, const cJSON *node,
                        struct error *err)
{
    AUTO_JSON cJSON *keys = must(cJSON_Duplicate(node, true));
    const char *id = node->string, *path = json_string_or(keys, "backend", "");
    unsigned domain;
    char backend[32];
    AUTO_JSON cJSON *frontend = NULL;
    struct xen_device device = { .kind = kind, .id = id, .backend = backend };

    if (sscanf(path, "/local/domain/%u/backend/%31[^/]/", &domain, backend) != 2)
        return error_set(err, ERROR_REFUSED, "the device %s/%s has no backend that xmig knows",
                         kind, id);
    if (domain != 0)
        return error_set(err, ERROR_REFUSED,
                         "the backend of the device %s/%s is in another domain (%u): driver "
                         "domains are not supported",
                         kind, id, domain);
    cross_bridge(vm, keys);
    leave_out(vm, kind, keys);
    device.backend_keys = keys;
    device.frontend_keys = frontend = read_frontend(vm, kind, id);
    device.is_connected = device_is_connected(vm, kind, id);
    cJSON_AddItemToArray(devices, fields_new(xen_device_fields, &device));
    return true;
}

cJSON *devices_read(struct xen_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *devices = must(cJSON_CreateArray());
    const cJSON *kind, *node;

    cJSON_ArrayForEach (kind, vm->snapshot.nodes)
        cJSON_ArrayForEach (node, kind)
            if (!read_device(vm, devices, kind->string, node, err))
                return NULL;
    return steal(devices);
}

/* ---- once more ---- */

static bool has_device(const cJSON *devices, const char *kind, const char *id)
{
    struct xen_device device;
    const cJSON *item;

    fields_each (item, devices, xen_device_fields, &device)
        if (!strcmp(device.kind, kind) && !strcmp(device.id, id))
            return true;
    return false;
}

static bool check_devices(const struct xen_guest *vm, const struct device_snapshot *now,
                          struct error *err)
{
    const cJSON *kind, *node;
    int count = 0;

    cJSON_ArrayForEach (kind, now->nodes)
        cJSON_ArrayForEach (node, kind) {
            if (!has_device(vm->devices, kind->string, node->string))
                return error_set(err, ERROR_SYSTEM,
                                 "the device %s/%s was attached while the guest was being moved: "
                                 "try again",
                                 kind->string, node->string);
            count++;
        }
    return count == cJSON_GetArraySize(vm->devices) ||
           error_set(err, ERROR_SYSTEM,
                     "a device was removed while the guest was being moved: try again");
}

bool devices_recheck(const struct xen_guest *vm, const struct device_snapshot *now,
                     struct error *err)
{
    return check_devices(vm, now, err) && media_recheck(vm, now, err);
}

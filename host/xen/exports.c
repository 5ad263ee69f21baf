/* The target's disks, exported by its device model's NBD server for as long as the mirrors need.
 *
 * What the guest uses by an emulated disk is open already. A disk that only has a PV backend
 * will be opened when that appears, which is after the device state was loaded: until then a
 * node of ours stands in.
 */
#include "host/paths.h"
#include "host/xen/xen.h"

static const char *emulated_node(const cJSON *blocks, const char *path)
{
    AUTO_FREE char *real = path_real("/", path);
    const cJSON *block;

    cJSON_ArrayForEach (block, blocks) {
        const cJSON *inserted = xen_get(block, "inserted");
        AUTO_FREE char *other =
            path_real("/", json_string_or(xen_get(inserted, "image"), "filename", ""));

        if (*json_string_or(block, "device", "") && inserted && !strcmp(real, other))
            return json_string_or(inserted, "node-name", NULL);
    }
    return NULL;
}

/* ---- nodes of ours ---- */

/* A node's name has at most 31 characters; the disk's place is shorter than its name may be. */
static char *node_name(size_t place)
{
    return xen_text("xmig-disk-%zu", place);
}

static bool add_node(struct xen *vm, const cJSON *disk, const char *node, struct error *err)
{
    const char *path = json_string_or(disk, "image", "");
    cJSON *arguments = must(cJSON_CreateObject());
    cJSON *file;

    cJSON_AddStringToObject(arguments, "driver", json_string_or(disk, "format", "raw"));
    cJSON_AddStringToObject(arguments, "node-name", node);
    cJSON_AddStringToObject(arguments, "discard", "unmap");
    file = cJSON_AddObjectToObject(arguments, "file");
    cJSON_AddStringToObject(file, "driver", disk_device_is(path) ? "host_device" : "file");
    cJSON_AddStringToObject(file, "filename", path);
    cJSON_AddStringToObject(file, "discard", "unmap");
    return qmp_call(vm->q, "blockdev-add", arguments, NULL, err);
}

static bool remove_nodes(struct xen *vm, struct error *err)
{
    AUTO_JSON cJSON *nodes = NULL;
    const cJSON *node;

    if (!qmp_call(vm->q, "query-named-block-nodes", NULL, &nodes, err))
        return false;
    cJSON_ArrayForEach (node, nodes) {
        const char *name = json_string_or(node, "node-name", "");

        if (!strncmp(name, "xmig-disk-", 10) && !qmp_blockdev_del(vm->q, name, err))
            return false;
    }
    return true;
}

/* ---- the public face ---- */

static bool export_disk(struct xen *vm, const cJSON *disk, size_t place, const cJSON *blocks,
                        struct error *err)
{
    const char *name = json_string_or(disk, "name", "?");
    const char *emulated = emulated_node(blocks, json_string_or(disk, "image", ""));
    AUTO_FREE char *id = xen_text("xmig-%s", name);
    AUTO_FREE char *own = node_name(place);

    return ((emulated || add_node(vm, disk, own, err)) &&
            qmp_block_export_add(vm->q, id, emulated ? emulated : own, name, err)) ||
           error_prefix(err, "disk '%s'", name);
}

bool exports_open(struct xen *vm, struct error *err)
{
    AUTO_FREE char *path = xen_text("%s/nbd.sock", vm->base.context.runtime_dir);
    AUTO_JSON cJSON *blocks = NULL;
    const cJSON *disk;
    size_t place = 0;

    if (!vm->base.context.options.mirrors_disks)
        return true;
    if (!qmp_nbd_server_start(vm->q, path, 0, err) ||
        !qmp_call(vm->q, "query-block", NULL, &blocks, err))
        return false;
    cJSON_ArrayForEach (disk, xen_get(vm->target.params, "disks"))
        if (!export_disk(vm, disk, place++, blocks, err))
            return false;
    return true;
}

bool exports_close(struct xen *vm, struct error *err)
{
    return qmp_nbd_server_stop(vm->q, err) && remove_nodes(vm, err);
}

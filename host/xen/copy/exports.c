/* Export the disks by the device model's NBD server, for the mirrors to write to. */
#include "host/xen/copy/copy.h"
#include "xmig/paths.h"
#include "xmig/text.h"

/* An emulated disk is open twice, the second time for its PV backend. Export the emulated one: it
 * holds the image's lock. The PV backend reads the image anew when the device state is loaded.
 */
static const cJSON *find_open(const cJSON *blocks, const char *path)
{
    AUTO_FREE char *real = path_real("/", path);
    const cJSON *block, *found = NULL;

    cJSON_ArrayForEach (block, blocks) {
        const cJSON *inserted = json_get(block, "inserted");
        AUTO_FREE char *other =
            path_real("/", json_string_or(json_get(inserted, "image"), "filename", ""));

        if (!inserted || strcmp(real, other) != 0)
            continue;
        if (!found || *json_string_or(block, "device", ""))
            found = inserted;
    }
    return found;
}

static bool export_disk(struct xen_copy *vm, const struct disk_params *disk, const cJSON *blocks,
                        struct error *err)
{
    const char *name = disk->name;
    const cJSON *open = find_open(blocks, disk->image);
    AUTO_FREE char *id = formatted("xmig-%s", name);

    if (!open && vbd_is_kernels(vm, name))
        return volume_export_start(vm, disk, err) || error_prefix(err, "disk '%s'", name);
    if (!open)
        return error_set(err, ERROR_SYSTEM, "disk '%s': it has not opened it", name);
    return qmp_block_export_add(vm->xen.q, id, json_string_or(open, "node-name", ""), name, err) ||
           error_prefix(err, "disk '%s'", name);
}

/* ---- the public face ---- */

bool exports_open(struct xen_copy *vm, struct error *err)
{
    AUTO_FREE char *path = formatted("%s/nbd.sock", vm->base.context.runtime_dir);
    AUTO_JSON cJSON *blocks = NULL;

    if (!vm->base.context.options.mirrors_disks)
        return true;
    if (vm->xen.has_model && (!qmp_nbd_server_start(vm->xen.q, path, 0, err) ||
                              !qmp_call(vm->xen.q, "query-block", NULL, &blocks, err)))
        return false;
    for (size_t i = 0; i < vm->images.disk_count; i++)
        if (!export_disk(vm, &vm->images.disks[i], blocks, err))
            return false;
    return true;
}

bool exports_close(struct xen_copy *vm, struct error *err)
{
    return (!vm->xen.has_model || qmp_nbd_server_stop(vm->xen.q, err)) &&
           volume_exports_close(vm, err);
}

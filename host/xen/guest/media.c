/* The media in the guest's CD-ROM drives, and where they are at the target. Media can be changed
 * while the guest runs, so the device model is asked.
 */
#include "host/xen/ground/disk-nodes.h"
#include "host/xen/guest/guest.h"
#include "xmig/text.h"

/* The drive as the device model has it; NULL: there is none. */
static const cJSON *find_drive(const cJSON *blocks, const char *drive)
{
    const cJSON *block;

    cJSON_ArrayForEach (block, blocks)
        if (!strcmp(json_string_or(block, "device", ""), drive))
            return block;
    return NULL;
}

/* The path of the medium in a drive; "": it is empty. libxl notes the path and gives the device
 * model only a descriptor; whether the guest has ejected the medium only the device model knows.
 */
static const char *present(const cJSON *blocks, const char *drive, const char *params)
{
    const cJSON *block = find_drive(blocks, drive);

    return block && !json_get(block, "inserted") ? "" : disk_node_path(params);
}

static bool add_medium(struct xen_guest *vm, const cJSON *keys, cJSON *media, struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;
    const char *name = json_string_or(keys, "dev", "?");
    AUTO_FREE char *drive = formatted("ide-%s", keys->string);
    const char *path = present(vm->snapshot.blocks, drive, json_string_or(keys, "params", ""));
    struct xen_medium medium = {
        .name = name,
        .id = keys->string,
        .drive = drive,
        .source = path,
        .image = json_string_or(options->disk_targets, name, path),
    };

    if (json_true(options->eject, name))
        medium.image = "";
    cJSON_AddItemToArray(media, fields_new(xen_medium_fields, &medium));
    return !*medium.image || *medium.image == '/' ||
           error_set(err, ERROR_REFUSED,
                     "the medium of '%s' at the target, '%s', is not an absolute path", name,
                     medium.image);
}

cJSON *media_read(struct xen_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *media = must(cJSON_CreateArray());
    const cJSON *keys;

    cJSON_ArrayForEach (keys, json_get(vm->snapshot.nodes, "vbd"))
        if (!disk_node_moves(keys) && !add_medium(vm, keys, media, err))
            return NULL;
    return steal(media);
}

bool media_recheck(const struct xen_guest *vm, const struct device_snapshot *now, struct error *err)
{
    struct xen_medium medium;
    const cJSON *item;

    fields_each (item, vm->media, xen_medium_fields, &medium) {
        const cJSON *keys = json_get(json_get(now->nodes, "vbd"), medium.id);
        const char *path = present(now->blocks, medium.drive, json_string_or(keys, "params", ""));

        if (strcmp(path, medium.source) != 0)
            return error_set(err, ERROR_SYSTEM,
                             "the medium of '%s' was changed while the guest was being moved: try "
                             "again",
                             medium.name);
    }
    return true;
}

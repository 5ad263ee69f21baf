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

static bool add_medium(struct xen_guest *vm, const cJSON *blocks, const cJSON *keys, const char *id,
                       cJSON *media, struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;
    const char *name = json_string_or(keys, "dev", "?");
    AUTO_FREE char *drive = formatted("ide-%s", id);
    const char *path = present(blocks, drive, json_string_or(keys, "params", ""));
    struct xen_medium medium = {
        .name = name,
        .id = id,
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

static cJSON *read_media(struct xen_guest *vm, const cJSON *blocks, struct error *err)
{
    AUTO_JSON cJSON *ids = store_list(vm->xen.xs, "/libxl/%u/device/vbd", vm->xen.domid);
    AUTO_JSON cJSON *media = must(cJSON_CreateArray());
    const cJSON *id;

    cJSON_ArrayForEach (id, ids) {
        AUTO_JSON cJSON *keys =
            store_values(vm->xen.xs, "/libxl/%u/device/vbd/%s", vm->xen.domid, id->valuestring);

        if (!disk_node_moves(keys) && !add_medium(vm, blocks, keys, id->valuestring, media, err))
            return NULL;
    }
    return steal(media);
}

cJSON *media_read(struct xen_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *blocks = NULL;

    if (!qmp_call(vm->xen.q, "query-block", NULL, &blocks, err))
        return NULL;
    return read_media(vm, blocks, err);
}

bool media_recheck(struct xen_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *blocks = NULL;
    struct xen_medium medium;
    const cJSON *item;

    if (!vm->media->child)
        return true;
    if (!qmp_call(vm->xen.q, "query-block", NULL, &blocks, err))
        return false;
    fields_each (item, vm->media, xen_medium_fields, &medium) {
        AUTO_FREE char *params =
            store_read(vm->xen.xs, "/libxl/%u/device/vbd/%s/params", vm->xen.domid, medium.id);

        if (strcmp(present(blocks, medium.drive, params ? params : ""), medium.source) != 0)
            return error_set(err, ERROR_SYSTEM,
                             "the medium of '%s' was changed while the guest was being moved: try "
                             "again",
                             medium.name);
    }
    return true;
}

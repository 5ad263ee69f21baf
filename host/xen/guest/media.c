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

    return block && !xen_get(block, "inserted") ? "" : disk_node_path(params);
}

static cJSON *describe(struct xen_guest *vm, const cJSON *blocks, const cJSON *keys, const char *id)
{
    const struct vm_options *options = &vm->base.context.options;
    const char *name = json_string_or(keys, "dev", "?");
    AUTO_FREE char *drive = formatted("ide-%s", id);
    const char *path = present(blocks, drive, json_string_or(keys, "params", ""));
    const char *image = json_string_or(options->disk_targets, name, path);
    cJSON *medium = must(cJSON_CreateObject());

    if (json_true(options->eject, name))
        image = "";
    cJSON_AddStringToObject(medium, "name", name);
    cJSON_AddStringToObject(medium, "id", id);
    cJSON_AddStringToObject(medium, "drive", drive);
    cJSON_AddStringToObject(medium, "source", path);
    cJSON_AddStringToObject(medium, "image", image);
    return medium;
}

static bool check(const cJSON *medium, struct error *err)
{
    const char *image = json_string_or(medium, "image", "");
    const char *name = json_string_or(medium, "name", "?");

    if (*image && *image != '/')
        return error_set(err, ERROR_REFUSED,
                         "the medium of '%s' at the target, '%s', is not an absolute path", name,
                         image);
    return true;
}

static cJSON *read_media(struct xen_guest *vm, const cJSON *blocks, struct error *err)
{
    AUTO_JSON cJSON *ids = store_list(vm->xen.xs, "/libxl/%u/device/vbd", vm->xen.domid);
    AUTO_JSON cJSON *media = must(cJSON_CreateArray());
    const cJSON *id;

    cJSON_ArrayForEach (id, ids) {
        AUTO_JSON cJSON *keys =
            store_values(vm->xen.xs, "/libxl/%u/device/vbd/%s", vm->xen.domid, id->valuestring);
        cJSON *medium;

        if (disk_node_moves(keys))
            continue;
        medium = describe(vm, blocks, keys, id->valuestring);
        cJSON_AddItemToArray(media, medium);
        if (!check(medium, err))
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
    const cJSON *medium;

    if (!vm->media->child)
        return true;
    if (!qmp_call(vm->xen.q, "query-block", NULL, &blocks, err))
        return false;
    cJSON_ArrayForEach (medium, vm->media) {
        AUTO_FREE char *params = store_read(vm->xen.xs, "/libxl/%u/device/vbd/%s/params",
                                            vm->xen.domid, json_string_or(medium, "id", ""));
        const char *now =
            present(blocks, json_string_or(medium, "drive", ""), params ? params : "");

        if (strcmp(now, json_string_or(medium, "source", "")) != 0)
            return error_set(err, ERROR_SYSTEM,
                             "the medium of '%s' was changed while the guest was being moved: try "
                             "again",
                             json_string_or(medium, "name", "?"));
    }
    return true;
}

/* The source's disks: xenstore says which there are, the device model what they are. */
#include <sys/stat.h>

#include "host/paths.h"
#include "host/source-image.h"
#include "host/xen/xen.h"

/* ---- what the device model has of a disk ---- */

static const cJSON *image_of(const cJSON *block)
{
    return xen_get(xen_get(block, "inserted"), "image");
}

static bool opens(const cJSON *block, const char *path)
{
    const cJSON *inserted = xen_get(block, "inserted");
    AUTO_FREE char *real = path_real("/", path);
    AUTO_FREE char *other = path_real("/", json_string_or(image_of(block), "filename", ""));

    return inserted && !strcmp(real, other);
}

/* A disk may be there twice: emulated, with a drive's name, and for PV drivers, as a node
 * that is named for what the guest calls it.
 */
static const cJSON *find_block(const cJSON *blocks, const char *path, bool emulated,
                               const char *name)
{
    const cJSON *block;

    cJSON_ArrayForEach (block, blocks) {
        bool has_drive = *json_string_or(block, "device", "");
        const char *node = json_string_or(xen_get(block, "inserted"), "node-name", "");
        size_t len = strlen(name);

        if (!opens(block, path) || has_drive != emulated)
            continue;
        if (emulated || (!strncmp(node, name, len) && node[len] == '-'))
            return block;
    }
    return NULL;
}

static bool is_connected(struct xen *vm, const char *id)
{
    enum {
        STATE_CONNECTED = 4
    };

    return store_number(vm->xs, 0, "/local/domain/%u/device/vbd/%s/state", vm->domid, id) ==
           STATE_CONNECTED;
}

/* A mirror sees only what is written by its own way. */
static const cJSON *choose_block(struct xen *vm, struct xen_disk *disk, const cJSON *blocks,
                                 struct error *err)
{
    const cJSON *emulated = find_block(blocks, disk->path, true, disk->name);
    const cJSON *pv = find_block(blocks, disk->path, false, disk->name);
    bool connected = is_connected(vm, disk->id);

    if (connected && disk->is_kernels) {
        error_set(err, ERROR_REFUSED,
                  "the guest uses it with a PV driver, and the kernel serves it ('phy'), where it "
                  "cannot be mirrored: give it backendtype=qdisk");
        return NULL;
    }
    if (connected && emulated) {
        error_set(err, ERROR_REFUSED,
                  "the guest uses it with a PV driver, and has not unplugged the emulated disk: "
                  "writes could come either way");
        return NULL;
    }
    disk->is_emulated = emulated != NULL;
    if (emulated || pv)
        return emulated ? emulated : pv;
    error_set(err, ERROR_REFUSED, "the device model does not have it open");
    return NULL;
}

/* What its mirror is told to copy. */
static const char *device_of(const struct xen_disk *disk, const cJSON *block)
{
    return disk->is_emulated ? json_string_or(block, "device", "")
                             : json_string_or(xen_get(block, "inserted"), "node-name", "");
}

/* ---- its image ---- */

static bool read_image(struct xen_disk *disk, const cJSON *block, struct error *err)
{
    const cJSON *image = image_of(block);
    const char *format = json_string_or(xen_get(block, "inserted"), "drv", "");
    struct stat st;

    if (!strcmp(format, "host_device"))
        format = "raw";
    disk->format = must(strdup(format));
    disk->options = source_image_options(format, image);
    if (!json_uint(image, "virtual-size", &disk->size, err))
        return error_prefix(err, "query-block");
    for (const cJSON *layer = image; layer; layer = xen_get(layer, "backing-image"))
        disk->allocated += json_uint_or(layer, "actual-size", 0);
    if (stat(disk->path, &st) < 0)
        return error_set(err, ERROR_REFUSED, "cannot look at its image '%s': %m", disk->path);
    disk->is_block_device = S_ISBLK(st.st_mode);
    if (disk->is_block_device)
        disk->allocated = disk->size;
    return source_image_check(format, image, err);
}

static bool choose_target(struct xen *vm, struct xen_disk *disk, struct error *err)
{
    disk->target = source_image_target(&vm->base.context.options, disk->name, disk->path,
                                       disk->is_block_device, vm->source.name, err);
    return disk->target != NULL;
}

/* ---- one disk ---- */

const char *xen_params_path(const char *params)
{
    const char *colon = strchr(params, ':');

    return *params == '/' || !colon ? params : colon + 1;
}

static bool read_disk(struct xen *vm, struct xen_disk *disk, const cJSON *keys, const char *id,
                      const cJSON *blocks, struct error *err)
{
    const char *params = json_string_or(keys, "params", "");
    const cJSON *block;

    disk->id = must(strdup(id));
    disk->is_kernels = !strcmp(json_string_or(keys, "type", ""), "phy");
    disk->name = must(strdup(json_string_or(keys, "dev", "?")));
    disk->path = must(strdup(xen_params_path(params)));
    block = choose_block(vm, disk, blocks, err);
    if (!block)
        return false;
    disk->device = must(strdup(device_of(disk, block)));
    return read_image(disk, block, err) && choose_target(vm, disk, err);
}

bool xen_disk_moves(const cJSON *keys)
{
    return !strcmp(json_string_or(keys, "device-type", "disk"), "disk") &&
           !strcmp(json_string_or(keys, "mode", "w"), "w");
}

static bool add_disk(struct xen *vm, const cJSON *keys, const char *id, const cJSON *blocks,
                     struct error *err)
{
    struct xen_source *source = &vm->source;
    struct xen_disk *disk;

    source->disks = must(realloc(source->disks, (source->disk_count + 1) * sizeof(*disk)));
    disk = &source->disks[source->disk_count++];
    *disk = (struct xen_disk){ 0 };
    if (read_disk(vm, disk, keys, id, blocks, err))
        return true;
    return error_prefix(err, "disk '%s'", disk->name);
}

/* ---- all of them ---- */

static bool has_name(const struct xen_source *source, const char *name, bool has_medium)
{
    for (size_t i = 0; !has_medium && i < source->disk_count; i++)
        if (!strcmp(source->disks[i].name, name))
            return true;
    return media_find(source->media, "name", name) != NULL;
}

/* An option that means no disk is a slip of the pen with consequences. */
static bool check_choices(struct xen *vm, struct error *err)
{
    const struct host_options *options = &vm->base.context.options;
    const cJSON *choice;

    cJSON_ArrayForEach (choice, options->disk_targets)
        if (!has_name(&vm->source, choice->string, false))
            return error_set(err, ERROR_REFUSED, "the VM has no disk called '%s'", choice->string);
    cJSON_ArrayForEach (choice, options->overwrite)
        if (!json_string_or(options->disk_targets, choice->string, NULL))
            return error_set(err, ERROR_REFUSED, "--overwrite %s: only what --disk %s=PATH names",
                             choice->string, choice->string);
    cJSON_ArrayForEach (choice, options->eject)
        if (!has_name(&vm->source, choice->string, true))
            return error_set(err, ERROR_REFUSED, "the VM has no CD-ROM drive called '%s'",
                             choice->string);
    return true;
}

bool xen_source_disks_read(struct xen *vm, struct error *err)
{
    AUTO_JSON cJSON *ids = store_list(vm->xs, "/libxl/%u/device/vbd", vm->domid);
    AUTO_JSON cJSON *blocks = NULL;
    const cJSON *id;

    xen_source_disks_done(&vm->source);
    if (!qmp_call(vm->q, "query-block", NULL, &blocks, err))
        return false;
    cJSON_ArrayForEach (id, ids) {
        AUTO_JSON cJSON *keys =
            store_values(vm->xs, "/libxl/%u/device/vbd/%s", vm->domid, id->valuestring);

        if (xen_disk_moves(keys) && !add_disk(vm, keys, id->valuestring, blocks, err))
            return false;
    }
    vm->source.media = media_read(vm, err);
    return vm->source.media && check_choices(vm, err);
}

/* A guest that loads its PV drivers leaves the emulated disk, and so the mirror, behind. */
bool xen_source_disks_recheck(struct xen *vm, struct error *err)
{
    AUTO_JSON cJSON *blocks = NULL;

    if (!qmp_call(vm->q, "query-block", NULL, &blocks, err))
        return false;
    for (size_t i = 0; i < vm->source.disk_count; i++) {
        struct xen_disk disk = vm->source.disks[i];
        const cJSON *block = choose_block(vm, &disk, blocks, err);

        if (!block)
            return error_prefix(err, "disk '%s'", disk.name);
        if (strcmp(device_of(&disk, block), disk.device) != 0)
            return error_set(err, ERROR_SYSTEM,
                             "disk '%s': the guest uses it by another way than when its mirror "
                             "began ('%s', not '%s'): it has loaded a PV driver; try again",
                             disk.name, device_of(&disk, block), disk.device);
    }
    return true;
}

void xen_source_disks_done(struct xen_source *source)
{
    for (size_t i = 0; i < source->disk_count; i++) {
        struct xen_disk *disk = &source->disks[i];

        free(disk->name);
        free(disk->id);
        free(disk->device);
        free(disk->path);
        free(disk->target);
        free(disk->format);
        cJSON_Delete(disk->options);
    }
    free(steal(source->disks));
    source->disk_count = 0;
    cJSON_Delete(steal(source->media));
}

/* ---- for the target ---- */

cJSON *xen_source_disk_params(const struct xen *vm, const struct xen_disk *disk, struct error *err)
{
    AUTO_JSON cJSON *params = must(cJSON_CreateObject());

    cJSON_AddStringToObject(params, "name", disk->name);
    json_add_uint(params, "size", disk->size);
    json_add_uint(params, "allocated", disk->allocated);
    cJSON_AddStringToObject(params, "source", disk->path);
    cJSON_AddStringToObject(params, "image", disk->target);
    cJSON_AddStringToObject(params, "format", disk->format);
    cJSON_AddItemToObject(params, "options", must(cJSON_Duplicate(disk->options, true)));
    cJSON_AddBoolToObject(params, "overwrite",
                          json_true(vm->base.context.options.overwrite, disk->name));
    return source_image_add_owner(params, disk->path, err) ? steal(params) : NULL;
}

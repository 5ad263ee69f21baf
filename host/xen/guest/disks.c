/* The guest's disks: xenstore lists them, and the device model describes their images. */
#include <sys/stat.h>

#include "host/images/image-contents.h"
#include "host/images/source-image.h"
#include "host/xen/ground/disk-nodes.h"
#include "host/xen/guest/guest.h"
#include "xmig/paths.h"

/* ---- the way by which the guest uses it ---- */

static const cJSON *choose_block(struct xen_guest *vm, struct xen_disk *disk, const cJSON *blocks,
                                 struct error *err)
{
    return disk_block_in_use(disk, blocks, device_is_connected(vm, "vbd", disk->id), err);
}

/* ---- its image ---- */

static bool read_image(struct xen_disk *disk, const cJSON *block, struct error *err)
{
    const cJSON *image = json_get(json_get(block, "inserted"), "image");
    const char *format = json_string_or(json_get(block, "inserted"), "drv", "");
    struct stat st;

    if (!strcmp(format, "host_device"))
        format = "raw";
    disk->format = must(strdup(format));
    disk->options = source_image_options(format, image);
    if (!json_uint(image, "virtual-size", &disk->size, err))
        return error_prefix(err, "query-block");
    for (const cJSON *layer = image; layer; layer = json_get(layer, "backing-image"))
        disk->allocated += json_uint_or(layer, "actual-size", 0);
    if (stat(disk->path, &st) < 0)
        return error_set(err, ERROR_REFUSED, "cannot look at its image '%s': %m", disk->path);
    disk->is_block_device = S_ISBLK(st.st_mode);
    if (disk->is_block_device)
        disk->allocated = disk->size;
    return source_image_check(format, image, err);
}

static bool choose_target(struct xen_guest *vm, struct xen_disk *disk, struct error *err)
{
    disk->target = source_image_target(&vm->base.context.options, disk->name, disk->path,
                                       disk->is_block_device, vm->name, err);
    return disk->target != NULL;
}

/* ---- one disk ---- */

static bool read_disk(struct xen_guest *vm, struct xen_disk *disk, const cJSON *keys,
                      const char *id, const cJSON *blocks, struct error *err)
{
    const char *params = json_string_or(keys, "params", "");
    const char *name = disk_node_name(keys, err);
    const cJSON *block;

    disk->id = must(strdup(id));
    disk->is_kernels = !strcmp(json_string_or(keys, "type", ""), "phy");
    disk->name = must(strdup(name ? name : id));
    disk->path = must(strdup(disk_node_path(params)));
    if (!name)
        return false;
    block = choose_block(vm, disk, blocks, err);
    if (!block)
        return false;
    disk->device = must(strdup(disk_device_name(disk, block)));
    return read_image(disk, block, err) &&
           image_contents_check(&vm->base.context.options, disk->name, json_get(block, "inserted"),
                                false, err) &&
           choose_target(vm, disk, err);
}

static bool add_disk(struct xen_guest *vm, const cJSON *keys, const char *id, const cJSON *blocks,
                     struct error *err)
{
    struct xen_disk *disk;

    vm->disks = must(realloc(vm->disks, (vm->disk_count + 1) * sizeof(*disk)));
    disk = &vm->disks[vm->disk_count++];
    *disk = (struct xen_disk){ 0 };
    if (read_disk(vm, disk, keys, id, blocks, err))
        return true;
    return error_prefix(err, "disk '%s'", disk->name);
}

/* ---- all of them ---- */

static bool has_name(const struct xen_guest *vm, const char *name, bool has_medium)
{
    struct xen_medium medium;

    for (size_t i = 0; !has_medium && i < vm->disk_count; i++)
        if (!strcmp(vm->disks[i].name, name))
            return true;
    return media_find(vm->media, name, &medium);
}

/* Refuse options for disks that do not exist: a mistyped name must not be ignored. */
static bool check_choices(struct xen_guest *vm, struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;
    const cJSON *choice;

    cJSON_ArrayForEach (choice, options->disk_targets)
        if (!has_name(vm, choice->string, false))
            return error_set(err, ERROR_REFUSED, "the VM has no disk called '%s'", choice->string);
    cJSON_ArrayForEach (choice, options->overwrite)
        if (!json_string_or(options->disk_targets, choice->string, NULL))
            return error_set(err, ERROR_REFUSED, "--overwrite %s: only what --disk %s=PATH names",
                             choice->string, choice->string);
    cJSON_ArrayForEach (choice, options->shared)
        if (options->mirrors_disks || !has_name(vm, choice->string, false))
            return error_set(err, ERROR_REFUSED,
                             "--shared %s: only a disk of the VM's, with --without drive-mirror",
                             choice->string);
    cJSON_ArrayForEach (choice, options->eject)
        if (!has_name(vm, choice->string, true))
            return error_set(err, ERROR_REFUSED, "the VM has no CD-ROM drive called '%s'",
                             choice->string);
    return true;
}

bool xen_guest_disks_read(struct xen_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *ids = store_list(vm->xen.xs, "/libxl/%u/device/vbd", vm->xen.domid);
    AUTO_JSON cJSON *blocks = NULL;
    const cJSON *id;

    xen_guest_disks_done(vm);
    if (!qmp_call(vm->xen.q, "query-block", NULL, &blocks, err))
        return false;
    cJSON_ArrayForEach (id, ids) {
        AUTO_JSON cJSON *keys =
            store_values(vm->xen.xs, "/libxl/%u/device/vbd/%s", vm->xen.domid, id->valuestring);

        if (disk_node_moves(keys) && !add_disk(vm, keys, id->valuestring, blocks, err))
            return false;
    }
    vm->media = media_read(vm, err);
    return vm->media && check_choices(vm, err);
}

static bool has_changed_way(const char *name, struct error *err)
{
    return error_set(err, ERROR_SYSTEM,
                     "disk '%s': the guest uses it by another way than when its mirror began: it "
                     "has loaded a PV driver; try again",
                     name);
}

/* A PV driver that is still connecting has not written anything yet. */
bool xen_guest_drivers_recheck(struct xen_guest *vm, struct error *err)
{
    for (size_t i = 0; i < vm->disk_count; i++) {
        const struct xen_disk *disk = &vm->disks[i];

        if (disk->is_emulated && device_is_connected(vm, "vbd", disk->id))
            return has_changed_way(disk->name, err);
    }
    return true;
}

/* A guest that loads its PV drivers stops using the emulated disk, which is the one mirrored. */
bool xen_guest_disks_recheck(struct xen_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *blocks = NULL;

    if (!qmp_call(vm->xen.q, "query-block", NULL, &blocks, err))
        return false;
    for (size_t i = 0; i < vm->disk_count; i++) {
        struct xen_disk disk = vm->disks[i];
        const cJSON *block = choose_block(vm, &disk, blocks, err);

        if (!block)
            return error_prefix(err, "disk '%s'", disk.name);
        if (strcmp(disk_device_name(&disk, block), disk.device) != 0)
            return has_changed_way(disk.name, err);
    }
    return true;
}

void xen_guest_disks_done(struct xen_guest *vm)
{
    for (size_t i = 0; i < vm->disk_count; i++) {
        struct xen_disk *disk = &vm->disks[i];

        free(disk->name);
        free(disk->id);
        free(disk->device);
        free(disk->path);
        free(disk->target);
        free(disk->format);
        cJSON_Delete(disk->options);
    }
    free(steal(vm->disks));
    vm->disk_count = 0;
    cJSON_Delete(steal(vm->media));
}

/* ---- for the target ---- */

bool xen_guest_disk_params(const struct xen_guest *vm, const struct xen_disk *disk,
                           struct disk_params *params, struct error *err)
{
    *params = (struct disk_params){
        .name = disk->name,
        .size = disk->size,
        .allocated = disk->allocated,
        .written = DISK_WRITTEN_UNKNOWN,
        .source = disk->path,
        .image = disk->target,
        .format = disk->format,
        .options = disk->options,
        .overwrite = json_true(vm->base.context.options.overwrite, disk->name),
    };
    return source_image_add_owner(params, disk->path, err);
}

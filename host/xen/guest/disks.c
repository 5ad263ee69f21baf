/* The guest's disks: xenstore lists them, and the device model describes their images. */
#include <sys/stat.h>

#include "host/images/image-contents.h"
#include "host/images/source-image.h"
#include "host/kernel-disks/tracker.h"
#include "host/system/block-device.h"
#include "host/xen/ground/disk-nodes.h"
#include "host/xen/ground/vbd.h"
#include "host/xen/guest/guest.h"
#include "xmig/paths.h"

/* ---- the way by which the guest uses it ---- */

static bool find_way(struct xen_guest *vm, struct xen_disk *disk, const cJSON *blocks,
                     const cJSON **block, struct error *err)
{
    return disk_find_way(disk, blocks, device_is_connected(vm, "vbd", disk->id), block, err);
}

/* ---- its image ---- */

static bool choose_target(struct xen_guest *vm, struct disk_params *params, bool is_block_device,
                          struct error *err)
{
    char *target = source_image_target(&vm->base.context.options, params->name, params->source,
                                       is_block_device, vm->name, err);

    if (target)
        params->image = json_keep_text(vm->kept, target);
    params->makes_volume =
        source_image_makes_volume(&vm->base.context.options, params->name, is_block_device);
    return target != NULL;
}

static bool read_image(struct xen_guest *vm, struct disk_params *params, const cJSON *block,
                       struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;
    const cJSON *image = json_get(json_get(block, "inserted"), "image");
    struct stat st;

    params->format = json_string_or(json_get(block, "inserted"), "drv", "");
    if (!strcmp(params->format, "host_device"))
        params->format = "raw";
    params->options = json_keep(vm->kept, source_image_options(params->format, image));
    if (!json_uint(image, "virtual-size", &params->size, err))
        return error_prefix(err, "query-block");
    for (const cJSON *layer = image; layer; layer = json_get(layer, "backing-image"))
        params->allocated += json_uint_or(layer, "actual-size", 0);
    if (stat(params->source, &st) < 0)
        return error_set(err, ERROR_REFUSED, "cannot look at its image '%s': %m", params->source);
    if (S_ISBLK(st.st_mode))
        params->allocated = params->size;
    if (!source_image_check(params->format, image, err) ||
        !image_contents_check(options, params->name, json_get(block, "inserted"), false, err))
        return false;
    return choose_target(vm, params, S_ISBLK(st.st_mode), err);
}

/* What the kernel serves to the guest is raw, and has no reader but xmig. */
static bool read_tracked(struct xen_guest *vm, const char *id, struct disk_params *params,
                         struct error *err)
{
    if (!vm->base.context.options.mirrors_disks)
        return error_set(err, ERROR_REFUSED,
                         "the kernel serves it ('phy'), which only a move that copies it knows: "
                         "give it backendtype=qdisk");
    if (!tracker_can(params->source, err) ||
        !vbd_is_at(VBD_DEVICES, vm->xen.domid, id, params->source, err) ||
        !block_device_size(params->source, &params->size, &params->sector, err))
        return false;
    params->format = "raw";
    params->options = json_keep(vm->kept, must(cJSON_CreateObject()));
    params->allocated = params->size;
    return choose_target(vm, params, true, err);
}

/* ---- one disk ---- */

static bool read_disk(struct xen_guest *vm, struct xen_disk *disk, const cJSON *keys,
                      struct error *err)
{
    const char *name = disk_node_name(keys, err);
    const cJSON *block;

    *disk = (struct xen_disk){
        .id = keys->string,
        .is_kernels = !strcmp(json_string_or(keys, "type", ""), "phy"),
        .params = { .name = name ? name : keys->string,
                    .source = disk_node_path(json_string_or(keys, "params", "")),
                    .written = DISK_WRITTEN_UNKNOWN,
                    .overwrite = json_true(vm->base.context.options.overwrite, name) },
    };
    if (!name)
        return false;
    if (!find_way(vm, disk, vm->snapshot.blocks, &block, err))
        return false;
    disk->device = disk_device_name(disk, block);
    return disk->is_tracked ? read_tracked(vm, disk->id, &disk->params, err)
                            : read_image(vm, &disk->params, block, err);
}

static bool add_disk(struct xen_guest *vm, const cJSON *keys, struct error *err)
{
    struct xen_disk *disk;

    vm->disks = must(realloc(vm->disks, (vm->disk_count + 1) * sizeof(*disk)));
    disk = &vm->disks[vm->disk_count++];
    return read_disk(vm, disk, keys, err) || error_prefix(err, "disk '%s'", disk->params.name);
}

/* ---- all of them ---- */

static bool has_name(const struct xen_guest *vm, const char *name, bool has_medium)
{
    struct xen_medium medium;

    for (size_t i = 0; !has_medium && i < vm->disk_count; i++)
        if (!strcmp(vm->disks[i].params.name, name))
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
    if (!source_image_check_overwrite(options, err))
        return false;
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
    const cJSON *keys;

    xen_guest_disks_done(vm);
    if (!device_snapshot_take(vm, &vm->snapshot, err))
        return false;
    vm->kept = must(cJSON_CreateArray());
    cJSON_ArrayForEach (keys, json_get(vm->snapshot.nodes, "vbd"))
        if (disk_node_moves(keys) && !add_disk(vm, keys, err))
            return false;
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
            return has_changed_way(disk->params.name, err);
    }
    return true;
}

/* A guest that loads its PV drivers stops using the emulated disk, which is the one mirrored. */
bool xen_guest_disks_recheck(struct xen_guest *vm, const struct device_snapshot *now,
                             struct error *err)
{
    for (size_t i = 0; i < vm->disk_count; i++) {
        struct xen_disk disk = vm->disks[i];
        const cJSON *block;

        if (!find_way(vm, &disk, now->blocks, &block, err))
            return error_prefix(err, "disk '%s'", disk.params.name);
        if (strcmp(disk_device_name(&disk, block), disk.device) != 0)
            return has_changed_way(disk.params.name, err);
    }
    return true;
}

void xen_guest_disks_done(struct xen_guest *vm)
{
    xen_mirrors_done(vm);
    free(steal(vm->disks));
    vm->disk_count = 0;
    cJSON_Delete(steal(vm->media));
    cJSON_Delete(steal(vm->kept));
    device_snapshot_done(&vm->snapshot);
}

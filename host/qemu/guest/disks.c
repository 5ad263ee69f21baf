/* The source's disks, as the running QEMU tells of them. */
#include <stdio.h>
#include <sys/stat.h>

#include "host/images/image-contents.h"
#include "xmig/paths.h"
#include "host/qemu/guest/machine.h"
#include "host/images/source-image.h"
#include "host/qemu/drives.h"
#include "qmp/block-image.h"

/* ---- reading one disk ---- */

/* The drive's name is what the user, or QEMU for want of one, has called it ("virtio0",
 * "ide0-hd0"); -blockdev gives nodes names instead.
 */
static char *choose_name(const char *drive, const char *node, const char *qdev)
{
    if (*drive)
        return must(strdup(drive));
    if (*node && *node != '#')
        return must(strdup(node));
    return qemu_device_id(qdev);
}

/* An image, and all that lies beneath it. */
static size_t chain_length(const cJSON *image)
{
    size_t count = 0;

    for (; image; image = block_image_next(image))
        count++;
    return count;
}

static bool read_chain(struct source_disk *disk, const cJSON *image, struct error *err)
{
    size_t count = chain_length(image);
    size_t i = 0;

    disk->said = must(calloc(count + 1, sizeof(*disk->said)));
    disk->paths = must(calloc(count + 1, sizeof(*disk->paths)));
    for (; image; image = block_image_next(image)) {
        if (!json_string(image, "filename", err))
            return error_prefix(err, "query-block");
        disk->said[i++] = block_image_file(image);
        disk->params.allocated += json_uint_or(image, "actual-size", 0);
    }
    return true;
}

/* A node that opens a file, and is of no format, shows the guest what is in it. */
static const char *format_of(const cJSON *within, const cJSON *image)
{
    const char *format = json_string_or(image, "format", json_string_or(within, "drv", ""));

    return !strcmp(format, "file") || !strcmp(format, "host_device") ? "raw" : format;
}

static bool read_format(struct qemu_guest *vm, struct source_disk *disk, const cJSON *within,
                        const cJSON *image, struct error *err)
{
    const char *format = format_of(within, image);

    disk->params.format = format;
    disk->params.options = json_keep(vm->kept, source_image_options(format, image));
    return source_image_check(format, image, err);
}

/* Bitmaps travel since QEMU 6.0 can be told their names. */
static bool read_contents(struct qemu_guest *vm, struct source_disk *disk, const cJSON *inserted,
                          struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;

    disk->params.bitmaps =
        json_keep(vm->kept, image_contents_bitmaps(options, disk->params.name, inserted,
                                                   &disk->has_stored_bitmaps));
    return image_contents_check(options, disk->params.name, inserted,
                                qmp_is_at_least(vm->qemu.q, 6, 0), err);
}

/* The filters above the image, which QEMU calls by its file. */
static bool check_filters(const struct qemu_guest *vm, const struct source_disk *disk,
                          const cJSON *inserted, const cJSON *nodes, struct error *err)
{
    const char *file = json_string_or(inserted, "file", "");
    const cJSON *node;

    cJSON_ArrayForEach (node, nodes)
        if (block_is_filter(json_string_or(node, "drv", "")) &&
            !strcmp(json_string_or(node, "file", ""), file) &&
            !image_contents_check_filter(&vm->base.context.options, disk->params.name, node, err))
            return false;
    return true;
}

static bool is_throttled(const cJSON *image)
{
    for (; block_is_filter(json_string_or(image, "format", ""));
         image = json_get(image, "backing-image"))
        if (!strcmp(json_string_or(image, "format", ""), "throttle"))
            return true;
    return false;
}

static bool check_file(struct source_disk *disk, struct error *err)
{
    struct stat st;

    if (stat(disk->paths[0], &st) < 0)
        return error_set(err, ERROR_REFUSED,
                         "'%s' is not a file of this host: only local images can be mirrored",
                         disk->paths[0]);
    disk->is_block_device = S_ISBLK(st.st_mode);
    if (disk->is_block_device && disk->params.allocated == 0)
        disk->params.allocated = disk->params.size;
    if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
        return true;
    return error_set(err, ERROR_REFUSED, "'%s' is neither a file nor a block device",
                     disk->paths[0]);
}

void source_disk_set_image(struct qemu_guest *vm, struct source_disk *disk, char *image)
{
    disk->params.image = json_keep_text(vm->kept, image);
}

static bool choose_target(struct qemu_guest *vm, struct source_disk *disk, struct error *err)
{
    char *target = source_image_target(&vm->base.context.options, disk->params.name, disk->paths[0],
                                       disk->is_block_device, vm->name, err);

    disk->params.source = disk->paths[0];
    disk->params.overwrite = json_true(vm->base.context.options.overwrite, disk->params.name);
    disk->params.makes_volume = source_image_makes_volume(&vm->base.context.options,
                                                          disk->params.name, disk->is_block_device);
    if (target)
        source_disk_set_image(vm, disk, target);
    return target != NULL;
}

static void read_names(struct qemu_guest *vm, struct source_disk *disk, const cJSON *block,
                       const cJSON *inserted)
{
    const char *drive = json_string_or(block, "device", "");
    const char *qdev = json_string_or(block, "qdev", "");
    const char *node = json_string_or(inserted, "node-name", "");

    disk->device = *drive ? drive : node;
    disk->params.name = json_keep_text(vm->kept, choose_name(drive, node, qdev));
    disk->params.drive = drive;
    disk->params.qdev = qdev;
    disk->params.node = *drive ? "" : node;
}

static bool read_disk(struct qemu_guest *vm, struct source_disk *disk, const cJSON *block,
                      const cJSON *nodes, struct error *err)
{
    const cJSON *inserted = json_get(block, "inserted");
    const cJSON *within = block_node_beneath(nodes, inserted);
    const cJSON *image = block_image_beneath(json_object(inserted, "image", err));

    read_names(vm, disk, block, inserted);
    disk->node = json_string_or(within, "node-name", "");
    disk->is_throttled = is_throttled(json_get(inserted, "image"));
    if (!image || !json_uint(image, "virtual-size", &disk->params.size, err))
        return error_prefix(err, "query-block");
    return read_format(vm, disk, within, image, err) && read_contents(vm, disk, within, err) &&
           check_filters(vm, disk, inserted, nodes, err) && read_chain(disk, image, err);
}

/* ---- all of them ---- */

static bool is_writable(const cJSON *block)
{
    const cJSON *inserted = json_get(block, "inserted");

    return inserted && !json_true(inserted, "ro");
}

/* Names become socket and lane names, and are typed by people. */
static bool check_name(const struct qemu_guest *vm, const char *name, struct error *err)
{
    if (!field_is_name(name))
        return error_set(err, ERROR_REFUSED,
                         "a disk of the VM has no name that xmig could use ('%s'): give its -drive "
                         "or -device an id",
                         name);
    if (source_disk_find(vm, name))
        return error_set(err, ERROR_REFUSED, "two disks of the VM are called '%s'", name);
    return true;
}

static bool add_disk(struct qemu_guest *vm, const cJSON *block, const cJSON *nodes,
                     struct error *err)
{
    struct source_disk *disk;

    vm->disks = must(realloc(vm->disks, (vm->disk_count + 1) * sizeof(*disk)));
    disk = &vm->disks[vm->disk_count];
    *disk = (struct source_disk){ .params.written = DISK_WRITTEN_UNKNOWN };
    if (!read_disk(vm, disk, block, nodes, err)) {
        vm->disk_count++; /* to be freed */
        return error_prefix(err, "disk '%s'", disk->params.name);
    }
    if (!check_name(vm, disk->params.name, err)) {
        vm->disk_count++;
        return false;
    }
    vm->disk_count++;
    return true;
}

/* Check the disk's image file, and choose its path at the target. */
static bool place_disk(struct qemu_guest *vm, struct source_disk *disk, struct error *err)
{
    return ((!vm->base.context.options.mirrors_disks || check_file(disk, err)) &&
            choose_target(vm, disk, err)) ||
           error_prefix(err, "disk '%s'", disk->params.name);
}

/* "vda, vdb", for whoever has mistyped one. */
static char *names(const struct qemu_guest *vm, bool with_media)
{
    char *text = NULL;
    size_t size, count = 0;
    FILE *out = must(open_memstream(&text, &size));
    struct qemu_medium medium;
    const cJSON *item;

    for (size_t i = 0; i < vm->disk_count; i++)
        fprintf(out, "%s%s", count++ ? ", " : "", vm->disks[i].params.name);
    if (with_media)
        fields_each (item, vm->media, qemu_medium_fields, &medium)
            fprintf(out, "%s%s", count++ ? ", " : "", medium.name);
    if (!count)
        fprintf(out, "none");
    if (fclose(out))
        abort();
    return text;
}

static bool check_shared(struct qemu_guest *vm, const char *name, struct error *err)
{
    AUTO_FREE char *all = names(vm, false);

    if (vm->base.context.options.mirrors_disks)
        return error_set(err, ERROR_REFUSED, "--shared %s: only with --without drive-mirror", name);
    if (source_disk_find(vm, name))
        return true;
    return error_set(err, ERROR_REFUSED, "--shared %s: the VM has no disk of that name; it has: %s",
                     name, all);
}

static bool check_lost(struct qemu_guest *vm, const char *name, struct error *err)
{
    AUTO_FREE char *all = names(vm, false);

    return source_disk_find(vm, name) ||
           error_set(err, ERROR_REFUSED, "--lose %s: the VM has no disk of that name; it has: %s",
                     name, all);
}

static bool check_placed(struct qemu_guest *vm, const char *name, struct error *err)
{
    AUTO_FREE char *all = names(vm, true);

    if (source_disk_find(vm, name) || drives_have(vm->media, name))
        return true;
    return error_set(err, ERROR_REFUSED, "--disk %s: the VM has no disk of that name; it has: %s",
                     name, all);
}

/* An option that means no disk is a slip of the pen with consequences. */
static bool check_choices(struct qemu_guest *vm, struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;
    const cJSON *choice;

    cJSON_ArrayForEach (choice, options->shared)
        if (!error_goes_on(err, check_shared(vm, choice->string, err)))
            return false;
    cJSON_ArrayForEach (choice, options->lose)
        if (!error_goes_on(err, check_lost(vm, choice->string, err)))
            return false;
    cJSON_ArrayForEach (choice, options->disk_targets)
        if (!error_goes_on(err, check_placed(vm, choice->string, err)))
            return false;
    return true;
}

static bool has_filters(const cJSON *blocks)
{
    const cJSON *block;

    cJSON_ArrayForEach (block, blocks) {
        const cJSON *image = json_get(json_get(block, "inserted"), "image");

        if (image != block_image_beneath(image))
            return true;
    }
    return false;
}

bool source_disks_read(struct qemu_guest *vm, struct error *err)
{
    cJSON *blocks = NULL, *nodes = NULL;
    int refused = error_aside(err);
    const cJSON *block;

    source_disks_done(vm);
    vm->kept = must(cJSON_CreateArray());
    if (!qmp_call(vm->qemu.q, "query-block", NULL, &blocks, err))
        return false;
    json_keep(vm->kept, blocks);
    if (has_filters(blocks)) {
        if (!qmp_call(vm->qemu.q, "query-named-block-nodes", NULL, &nodes, err))
            return false;
        json_keep(vm->kept, nodes);
    }
    cJSON_ArrayForEach (block, blocks)
        if (is_writable(block) && !error_goes_on(err, add_disk(vm, block, nodes, err)))
            return false;
    if (!error_none_since(err, refused) || !source_images_find(vm, err) ||
        !source_images_hold(vm, err))
        return false;
    for (size_t i = 0; i < vm->disk_count; i++)
        if (!error_goes_on(err, place_disk(vm, &vm->disks[i], err)))
            return false;
    return error_none_since(err, refused) && check_choices(vm, err);
}

/* A path may be missing in between, where a layer's file was not found. */
static void free_disk(struct source_disk *disk)
{
    for (size_t i = 0; disk->said && disk->said[i]; i++) {
        free(disk->said[i]);
        if (disk->paths)
            free(disk->paths[i]);
    }
    free(disk->said);
    free(disk->paths);
}

void source_disks_done(struct qemu_guest *vm)
{
    for (size_t i = 0; i < vm->disk_count; i++)
        free_disk(&vm->disks[i]);
    free(steal(vm->disks));
    cJSON_Delete(steal(vm->kept));
    vm->disk_count = 0;
}

const struct source_disk *source_disk_find(const struct qemu_guest *vm, const char *name)
{
    for (size_t i = 0; i < vm->disk_count; i++)
        if (!strcmp(vm->disks[i].params.name, name))
            return &vm->disks[i];
    return NULL;
}

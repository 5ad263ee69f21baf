/* Removable media and I/O limits of the drives, which the monitor or the guest may have changed
 * since QEMU's start. The target gets them as they are now.
 */
#include "host/qemu/drives.h"

#include <unistd.h>

#include "qmp/block-image.h"
#include "xmig/paths.h"

/* ---- I/O limits ---- */

/* block_set_io_throttle requires the first list; the second is optional. */
static const char *const limits_required[] = { "bps",  "bps_rd",  "bps_wr",
                                               "iops", "iops_rd", "iops_wr" };
static const char *const limits_more[] = {
    "bps_max",           "bps_rd_max",      "bps_wr_max",         "iops_max",
    "iops_rd_max",       "iops_wr_max",     "bps_max_length",     "bps_rd_max_length",
    "bps_wr_max_length", "iops_max_length", "iops_rd_max_length", "iops_wr_max_length",
    "iops_size",         "group",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void copy_all(cJSON *to, const cJSON *from, const char *const names[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (json_get(from, names[i]))
            cJSON_AddItemToObject(to, names[i],
                                  must(cJSON_Duplicate(json_get(from, names[i]), true)));
}

static cJSON *read_limits(const cJSON *inserted)
{
    cJSON *limits = must(cJSON_CreateObject());

    for (size_t i = 0; i < COUNT(limits_required); i++)
        json_add_uint(limits, limits_required[i], json_uint_or(inserted, limits_required[i], 0));
    copy_all(limits, inserted, limits_more, COUNT(limits_more));
    return limits;
}

/* ---- reading ---- */

/* Removable and read-only (or an empty drive). A writable medium is moved as a disk. */
static bool is_medium(const cJSON *block)
{
    const cJSON *inserted = json_get(block, "inserted");

    return json_true(block, "removable") && (!inserted || json_true(inserted, "ro"));
}

/* A relative path is relative to QEMU's working directory; a URL stays as it is. */
static char *absolute(const char *cwd, const char *name)
{
    size_t colon = strcspn(name, ":");

    if (!*name || (name[colon] && strcspn(name, "/") >= colon))
        return must(strdup(name));
    return path_absolute(cwd, name);
}

/* The drive's name, which stays when its medium, and with that the node, goes. The caller frees it.
 */
static char *name_of(const cJSON *block)
{
    const char *drive = json_string_or(block, "device", "");
    const char *node = json_string_or(json_get(block, "inserted"), "node-name", "");
    AUTO_FREE char *id = qemu_device_id(json_string_or(block, "qdev", ""));

    return must(strdup(*drive ? drive : *id ? id : node));
}

static cJSON *read_drive(const cJSON *block, const char *cwd)
{
    const cJSON *inserted = json_get(block, "inserted");
    AUTO_JSON cJSON *limits = inserted ? read_limits(inserted) : NULL;
    const cJSON *image = block_image_beneath(json_get(inserted, "image"));
    AUTO_FREE char *name = name_of(block);
    AUTO_FREE char *file = block_image_file(image);
    AUTO_FREE char *source = absolute(cwd, file);
    struct qemu_drive drive = {
        .name = name,
        .device = json_string_or(block, "device", ""),
        .qdev = json_string_or(block, "qdev", ""),
        .medium = is_medium(block),
        .limits = limits,
    };

    if (drive.medium) {
        drive.source = source;
        drive.format = json_string_or(image, "format", "");
        drive.node = json_string_or(inserted, "node-name", "");
    }
    return fields_new(qemu_drive_fields, &drive);
}

cJSON *drives_read(struct qemu *vm, const char *cwd, struct error *err)
{
    AUTO_JSON cJSON *blocks = NULL;
    cJSON *drives;
    const cJSON *block;

    if (!qmp_call(vm->q, "query-block", NULL, &blocks, err))
        return NULL;
    drives = must(cJSON_CreateArray());
    cJSON_ArrayForEach (block, blocks)
        cJSON_AddItemToArray(drives, read_drive(block, cwd));
    return drives;
}

/* ---- what shall lie in them at the target ---- */

static struct qemu_medium choose_medium(const struct vm_options *options,
                                        const struct qemu_drive *drive)
{
    const char *image = json_string_or(options->disk_targets, drive->name, drive->source);

    return (struct qemu_medium){
        .name = drive->name,
        .device = drive->device,
        .qdev = drive->qdev,
        .node = drive->node,
        .source = drive->source,
        .image = json_true(options->eject, drive->name) ? "" : image,
        .format = drive->format,
    };
}

static bool check_path(const struct qemu_medium *medium, struct error *err)
{
    const char *image = medium->image;

    if (*image && !*medium->source)
        return error_set(err, ERROR_REFUSED,
                         "the drive '%s' is empty: nothing can be put into it by moving the VM",
                         medium->name);
    if (!*image || *image == '/' || !strcmp(image, medium->source))
        return true;
    return error_set(err, ERROR_REFUSED,
                     "the medium of '%s' at the target, '%s', is not an absolute path",
                     medium->name, image);
}

bool drives_have(const cJSON *media, const char *name)
{
    struct qemu_medium medium;
    const cJSON *item;

    fields_each (item, media, qemu_medium_fields, &medium)
        if (!strcmp(medium.name, name))
            return true;
    return false;
}

static bool check_eject(const cJSON *media, const char *name, struct error *err)
{
    struct qemu_medium medium;
    const cJSON *item;

    if (drives_have(media, name))
        return true;
    error_set(err, ERROR_REFUSED,
              "--eject %s: the VM has no drive of that name whose medium could be taken out; it "
              "has: ",
              name);
    fields_each (item, media, qemu_medium_fields, &medium)
        error_append(err, "%s%s", item == media->child ? "" : ", ", medium.name);
    return media->child ? false : error_append(err, "none");
}

cJSON *drives_media(const struct vm_options *options, const cJSON *drives, struct error *err)
{
    AUTO_JSON cJSON *media = must(cJSON_CreateArray());
    struct qemu_drive drive;
    const cJSON *item, *choice;

    fields_each (item, drives, qemu_drive_fields, &drive) {
        struct qemu_medium medium = choose_medium(options, &drive);

        if (!drive.medium)
            continue;
        cJSON_AddItemToArray(media, fields_new(qemu_medium_fields, &medium));
        if (!error_goes_on(err, check_path(&medium, err)))
            return NULL;
    }
    cJSON_ArrayForEach (choice, options->eject)
        if (!error_goes_on(err, check_eject(media, choice->string, err)))
            return NULL;
    return steal(media);
}

/* ---- at the target ---- */

static bool check_medium(const struct qemu_medium *medium, struct error *err)
{
    const char *image = medium->image, *name = medium->name;
    struct stat st;

    if (*image == '/' && stat(image, &st) < 0)
        return error_set(err, ERROR_REFUSED,
                         "'%s' of the VM holds '%s', which is not at the target: %m; put it there, "
                         "name its place with --disk %s=PATH, or take it out with --eject %s",
                         name, image, name, name);
    return true;
}

bool drives_check(const cJSON *media, struct error *err)
{
    struct qemu_medium medium;
    const cJSON *item;

    fields_each (item, media, qemu_medium_fields, &medium)
        if (!error_goes_on(err, check_medium(&medium, err)))
            return false;
    return true;
}

static const cJSON *find_block(const cJSON *blocks, const char *device, const char *qdev)
{
    const cJSON *block;

    cJSON_ArrayForEach (block, blocks)
        if (*device ? !strcmp(json_string_or(block, "device", ""), device)
                    : *qdev && !strcmp(json_string_or(block, "qdev", ""), qdev))
            return block;
    return NULL;
}

/* {"id": …} or {"device": …}, as the monitor's commands name a drive. */
static cJSON *arguments_for(const char *device, const char *qdev)
{
    cJSON *arguments = json_new(*device ? "device" : "id", *device ? device : qdev);

    return arguments;
}

static bool set_medium(struct qemu *vm, const cJSON *blocks, const struct qemu_medium *medium,
                       struct error *err)
{
    const cJSON *block = find_block(blocks, medium->device, medium->qdev);
    AUTO_FREE char *here =
        block_image_file(block_image_beneath(json_get(json_get(block, "inserted"), "image")));
    cJSON *arguments;

    if (!strcmp(here, medium->image))
        return true;
    arguments = arguments_for(medium->device, medium->qdev);
    cJSON_AddBoolToObject(arguments, "force", true);
    if (!*medium->image)
        return qmp_call(vm->q, "eject", arguments, NULL, err);
    cJSON_AddStringToObject(arguments, "filename", medium->image);
    cJSON_AddStringToObject(arguments, "read-only-mode", "read-only");
    cJSON_AddStringToObject(arguments, "format", medium->format);
    return qmp_call(vm->q, "blockdev-change-medium", arguments, NULL, err);
}

static bool set_limits(struct qemu *vm, const cJSON *blocks, const struct qemu_drive *drive,
                       struct error *err)
{
    const cJSON *inserted = json_get(find_block(blocks, drive->device, drive->qdev), "inserted");
    AUTO_JSON cJSON *here = read_limits(inserted);
    cJSON *arguments;

    if (!drive->limits || !inserted || cJSON_Compare(here, drive->limits, true))
        return true;
    arguments = arguments_for(drive->device, drive->qdev);
    copy_all(arguments, drive->limits, limits_required, COUNT(limits_required));
    copy_all(arguments, drive->limits, limits_more, COUNT(limits_more));
    return qmp_call(vm->q, "block_set_io_throttle", arguments, NULL, err);
}

bool drives_set(struct qemu *vm, const cJSON *media, const cJSON *drives, struct error *err)
{
    AUTO_JSON cJSON *before = NULL;
    AUTO_JSON cJSON *blocks = NULL;
    struct qemu_medium medium;
    struct qemu_drive drive;
    const cJSON *item;

    if (!qmp_call(vm->q, "query-block", NULL, &before, err))
        return false;
    fields_each (item, media, qemu_medium_fields, &medium)
        if (!set_medium(vm, before, &medium, err))
            return error_prefix(err, "the medium of '%s'", medium.name);
    if (!qmp_call(vm->q, "query-block", NULL, &blocks, err))
        return false;
    fields_each (item, drives, qemu_drive_fields, &drive)
        if (!set_limits(vm, blocks, &drive, err))
            return error_prefix(err, "the I/O limits of '%s'", drive.name);
    return true;
}

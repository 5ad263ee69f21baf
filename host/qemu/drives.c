/* Removable media and I/O limits of the drives, which the monitor or the guest may have changed
 * since QEMU's start. The target gets them as they are now.
 */
#include "host/qemu/drives.h"

#include <unistd.h>

#include "xmig/paths.h"

static const cJSON *get(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

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

static void copy(cJSON *to, const cJSON *from, const char *name)
{
    const cJSON *item = get(from, name);

    if (item)
        cJSON_AddItemToObject(to, name, cJSON_Duplicate(item, true));
}

static cJSON *read_limits(const cJSON *inserted)
{
    cJSON *limits = must(cJSON_CreateObject());

    for (size_t i = 0; i < sizeof(limits_required) / sizeof(limits_required[0]); i++)
        json_add_uint(limits, limits_required[i], json_uint_or(inserted, limits_required[i], 0));
    for (size_t i = 0; i < sizeof(limits_more) / sizeof(limits_more[0]); i++)
        copy(limits, inserted, limits_more[i]);
    return limits;
}

/* ---- reading ---- */

/* Removable and read-only (or an empty drive). A writable medium is moved as a disk. */
static bool is_medium(const cJSON *block)
{
    const cJSON *inserted = get(block, "inserted");

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

static void read_medium(const cJSON *block, const char *cwd, cJSON *drive)
{
    const cJSON *inserted = get(block, "inserted");
    AUTO_FREE char *source = absolute(cwd, json_string_or(get(inserted, "image"), "filename", ""));

    cJSON_AddStringToObject(drive, "source", source);
    cJSON_AddStringToObject(drive, "format", json_string_or(inserted, "drv", ""));
    cJSON_AddStringToObject(drive, "node", json_string_or(inserted, "node-name", ""));
}

/* The drive's name, which stays when its medium, and with that the node, goes. The caller frees it.
 */
static char *name_of(const cJSON *block)
{
    const char *drive = json_string_or(block, "device", "");
    const char *node = json_string_or(get(block, "inserted"), "node-name", "");
    AUTO_FREE char *id = qemu_device_id(json_string_or(block, "qdev", ""));

    return must(strdup(*drive ? drive : *id ? id : node));
}

static cJSON *read_drive(const cJSON *block, const char *cwd)
{
    cJSON *drive = must(cJSON_CreateObject());
    const cJSON *inserted = get(block, "inserted");
    AUTO_FREE char *name = name_of(block);

    cJSON_AddStringToObject(drive, "name", name);
    cJSON_AddStringToObject(drive, "device", json_string_or(block, "device", ""));
    cJSON_AddStringToObject(drive, "qdev", json_string_or(block, "qdev", ""));
    cJSON_AddBoolToObject(drive, "medium", is_medium(block));
    if (is_medium(block))
        read_medium(block, cwd, drive);
    if (inserted)
        cJSON_AddItemToObject(drive, "limits", read_limits(inserted));
    return drive;
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

static cJSON *choose_medium(const struct vm_options *options, const cJSON *drive)
{
    const char *name = json_string_or(drive, "name", "");
    const char *source = json_string_or(drive, "source", "");
    const char *image = json_string_or(options->disk_targets, name, source);
    cJSON *medium = must(cJSON_CreateObject());

    cJSON_AddStringToObject(medium, "name", name);
    copy(medium, drive, "device");
    copy(medium, drive, "qdev");
    copy(medium, drive, "node");
    cJSON_AddStringToObject(medium, "source", source);
    cJSON_AddStringToObject(medium, "image", json_true(options->eject, name) ? "" : image);
    copy(medium, drive, "format");
    return medium;
}

static bool check_path(const cJSON *medium, struct error *err)
{
    const char *image = json_string_or(medium, "image", "");
    const char *source = json_string_or(medium, "source", "");
    const char *name = json_string_or(medium, "name", "?");

    if (*image && !*source)
        return error_set(err, ERROR_REFUSED,
                         "the drive '%s' is empty: nothing can be put into it by moving the VM",
                         name);
    if (!*image || *image == '/' || !strcmp(image, source))
        return true;
    return error_set(err, ERROR_REFUSED,
                     "the medium of '%s' at the target, '%s', is not an absolute path", name,
                     image);
}

const cJSON *drives_find(const cJSON *media, const char *name)
{
    const cJSON *medium;

    cJSON_ArrayForEach (medium, media)
        if (!strcmp(json_string_or(medium, "name", ""), name))
            return medium;
    return NULL;
}

static bool check_eject(const cJSON *media, const char *name, struct error *err)
{
    const cJSON *medium;

    if (drives_find(media, name))
        return true;
    error_set(err, ERROR_REFUSED,
              "--eject %s: the VM has no drive of that name whose medium could be taken out; it "
              "has: ",
              name);
    cJSON_ArrayForEach (medium, media)
        error_append(err, "%s%s", medium == media->child ? "" : ", ",
                     json_string_or(medium, "name", "?"));
    return media->child ? false : error_append(err, "none");
}

cJSON *drives_media(const struct vm_options *options, const cJSON *drives, struct error *err)
{
    AUTO_JSON cJSON *media = must(cJSON_CreateArray());
    const cJSON *drive, *choice;

    cJSON_ArrayForEach (drive, drives) {
        cJSON *medium;

        if (!json_true(drive, "medium"))
            continue;
        medium = choose_medium(options, drive);
        cJSON_AddItemToArray(media, medium);
        if (!error_goes_on(err, check_path(medium, err)))
            return NULL;
    }
    cJSON_ArrayForEach (choice, options->eject)
        if (!error_goes_on(err, check_eject(media, choice->string, err)))
            return NULL;
    return steal(media);
}

/* ---- at the target ---- */

static bool check_medium(const cJSON *medium, struct error *err)
{
    const char *image = json_string_or(medium, "image", "");
    const char *name = json_string_or(medium, "name", "?");
    struct stat st;

    if (*image != '/')
        return true;
    if (stat(image, &st) < 0)
        return error_set(err, ERROR_REFUSED,
                         "'%s' of the VM holds '%s', which is not at the target: %m; put it there, "
                         "name its place with --disk %s=PATH, or take it out with --eject %s",
                         name, image, name, name);
    return true;
}

bool drives_check(const cJSON *media, struct error *err)
{
    const cJSON *medium;

    cJSON_ArrayForEach (medium, media)
        if (!error_goes_on(err, check_medium(medium, err)))
            return false;
    return true;
}

static const cJSON *find_block(const cJSON *blocks, const cJSON *drive)
{
    const char *device = json_string_or(drive, "device", "");
    const char *qdev = json_string_or(drive, "qdev", "");
    const cJSON *block;

    cJSON_ArrayForEach (block, blocks)
        if (*device ? !strcmp(json_string_or(block, "device", ""), device)
                    : *qdev && !strcmp(json_string_or(block, "qdev", ""), qdev))
            return block;
    return NULL;
}

/* {"id": …} or {"device": …}, as the monitor's commands name a drive. */
static cJSON *arguments_for(const cJSON *drive)
{
    const char *device = json_string_or(drive, "device", "");
    cJSON *arguments = must(cJSON_CreateObject());

    if (*device)
        cJSON_AddStringToObject(arguments, "device", device);
    else
        cJSON_AddStringToObject(arguments, "id", json_string_or(drive, "qdev", ""));
    return arguments;
}

static bool set_medium(struct qemu *vm, const cJSON *blocks, const cJSON *medium, struct error *err)
{
    const cJSON *block = find_block(blocks, medium);
    const char *here = json_string_or(get(get(block, "inserted"), "image"), "filename", "");
    const char *wanted = json_string_or(medium, "image", "");
    cJSON *arguments;

    if (!strcmp(here, wanted))
        return true;
    arguments = arguments_for(medium);
    cJSON_AddBoolToObject(arguments, "force", true);
    if (!*wanted)
        return qmp_call(vm->q, "eject", arguments, NULL, err);
    cJSON_AddStringToObject(arguments, "filename", wanted);
    cJSON_AddStringToObject(arguments, "read-only-mode", "read-only");
    copy(arguments, medium, "format");
    return qmp_call(vm->q, "blockdev-change-medium", arguments, NULL, err);
}

static bool set_limits(struct qemu *vm, const cJSON *blocks, const cJSON *drive, struct error *err)
{
    const cJSON *inserted = get(find_block(blocks, drive), "inserted");
    const cJSON *wanted = get(drive, "limits");
    AUTO_JSON cJSON *here = read_limits(inserted);
    cJSON *arguments;
    const cJSON *limit;

    if (!wanted || !inserted || cJSON_Compare(here, wanted, true))
        return true;
    arguments = arguments_for(drive);
    cJSON_ArrayForEach (limit, wanted)
        copy(arguments, wanted, limit->string);
    return qmp_call(vm->q, "block_set_io_throttle", arguments, NULL, err);
}

bool drives_set(struct qemu *vm, const cJSON *media, const cJSON *drives, struct error *err)
{
    AUTO_JSON cJSON *before = NULL;
    AUTO_JSON cJSON *blocks = NULL;
    const cJSON *drive;

    if (!qmp_call(vm->q, "query-block", NULL, &before, err))
        return false;
    cJSON_ArrayForEach (drive, media)
        if (!set_medium(vm, before, drive, err))
            return error_prefix(err, "the medium of '%s'", json_string_or(drive, "name", "?"));
    if (!qmp_call(vm->q, "query-block", NULL, &blocks, err))
        return false;
    cJSON_ArrayForEach (drive, drives)
        if (!set_limits(vm, blocks, drive, err))
            return error_prefix(err, "the I/O limits of '%s'", json_string_or(drive, "name", "?"));
    return true;
}

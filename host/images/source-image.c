/* The source's image, as QEMU tells of it. */
#include "host/images/source-image.h"

#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/images/disk-volume.h"
#include "qmp/argv/block-driver.h"
#include "xmig/paths.h"

static const cJSON *specific(const cJSON *image)
{
    return cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(image, "format-specific"), "data");
}

static void add_number(cJSON *options, const char *name, uint64_t value)
{
    char number[24];

    snprintf(number, sizeof(number), "%" PRIu64, value);
    cJSON_AddStringToObject(options, name, number);
}

static void add_qcow2_options(cJSON *options, const cJSON *image)
{
    const cJSON *data = specific(image);
    const char *compression = json_string_or(data, "compression-type", "zlib");

    add_number(options, "cluster_size", json_uint_or(image, "cluster-size", 65536));
    cJSON_AddStringToObject(options, "compat", json_string_or(data, "compat", "1.1"));
    if (json_uint_or(data, "refcount-bits", 16) != 16)
        add_number(options, "refcount_bits", json_uint_or(data, "refcount-bits", 16));
    if (json_true(data, "lazy-refcounts"))
        cJSON_AddStringToObject(options, "lazy_refcounts", "on");
    if (json_true(data, "extended-l2"))
        cJSON_AddStringToObject(options, "extended_l2", "on");
    if (strcmp(compression, "zlib") != 0)
        cJSON_AddStringToObject(options, "compression_type", compression);
}

cJSON *source_image_options(const char *format, const cJSON *image)
{
    cJSON *options = must(cJSON_CreateObject());

    if (!strcmp(format, "qcow2"))
        add_qcow2_options(options, image);
    return options;
}

/* With a snapshot on top the guest's blocks would be readable at the target, too. */
static bool check_encryption(const cJSON *image, struct error *err)
{
    for (; image; image = cJSON_GetObjectItemCaseSensitive(image, "backing-image"))
        if (cJSON_GetObjectItemCaseSensitive(specific(image), "encrypt") ||
            !strcmp(json_string_or(image, "format", ""), "luks"))
            return error_set(err, ERROR_REFUSED,
                             "'%s' is encrypted, and its copy at the target would not be: move the "
                             "VM switched off, with that file as it is",
                             json_string_or(image, "filename", "its image"));
    return true;
}

/* Refused because the fence could not rename the data file, and its other users would go on. */
static bool check_data_file(const cJSON *image, struct error *err)
{
    const char *file = json_string_or(specific(image), "data-file", NULL);

    if (!file)
        return true;
    return error_set(err, ERROR_REFUSED,
                     "its image keeps the data in another file ('%s'), which xmig cannot make "
                     "anew: make one image of both while the VM is switched off (qemu-img convert "
                     "-O qcow2), or move it switched off, with both files",
                     file);
}

bool source_image_check(const char *format, const cJSON *image, struct error *err)
{
    const char *reason;

    if (!check_encryption(image, err) || !check_data_file(image, err))
        return false;
    if (!strcmp(format, "raw") || !strcmp(format, "qcow2"))
        return true;
    reason = block_driver_reason(format);
    error_set(err, ERROR_REFUSED, "it is of format '%s'; 'raw' and 'qcow2' can be moved", format);
    return reason ? error_append(err, ": %s", reason) : false;
}

bool source_image_check_overwrite(const struct vm_options *options, struct error *err)
{
    const cJSON *choice;

    cJSON_ArrayForEach (choice, options->overwrite)
        if (!json_string_or(options->disk_targets, choice->string, NULL))
            return error_set(err, ERROR_REFUSED, "--overwrite %s: only what --disk %s=PATH names",
                             choice->string, choice->string);
    return true;
}

bool source_image_makes_volume(const struct vm_options *options, const char *name,
                               bool is_block_device)
{
    return options->mirrors_disks && options->volume_group && is_block_device &&
           !json_string_or(options->disk_targets, name, NULL);
}

char *source_image_target(const struct vm_options *options, const char *name, const char *path,
                          bool is_block_device, const char *vm, struct error *err)
{
    const char *chosen = json_string_or(options->disk_targets, name, NULL);

    if (!options->mirrors_disks)
        return must(strdup(path));
    if (chosen && *chosen == '/')
        return must(strdup(chosen));
    if (source_image_makes_volume(options, name, is_block_device))
        return disk_volume_path(options->volume_group, options->new_name ? options->new_name : vm,
                                name, err);
    if (!chosen && !is_block_device)
        return path_renamed(path, vm, options->new_name);
    if (chosen)
        error_set(err, ERROR_REFUSED, "its image at the target, '%s', is not an absolute path",
                  chosen);
    else
        error_set(
            err, ERROR_REFUSED,
            "it is the block device '%s'; say what it shall be at the target: --disk %s=PATH, "
            "or --create-volumes VG",
            path, name);
    return NULL;
}

/* Names, and numbers for where the names are unknown. */
bool source_image_add_owner(struct disk_params *disk, const char *path, struct error *err)
{
    struct stat st;
    const struct passwd *user;
    const struct group *group;

    if (stat(path, &st) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot look at '%s': %m", path);
    user = getpwuid(st.st_uid);
    group = getgrgid(st.st_gid);
    disk->mode = S_ISBLK(st.st_mode) ? 0600 : st.st_mode & 0777;
    disk->uid = st.st_uid;
    disk->gid = st.st_gid;
    disk->user = user ? user->pw_name : NULL;
    disk->group = group ? group->gr_name : NULL;
    return true;
}

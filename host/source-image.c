/* The source's image, as QEMU tells of it. */
#include "host/source-image.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/paths.h"

static const cJSON *specific(const cJSON *image)
{
    return cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(image, "format-specific"), "data");
}

static void add_qcow2_options(cJSON *options, const cJSON *image)
{
    const cJSON *data = specific(image);
    const char *compression = json_string_or(data, "compression-type", "zlib");
    char number[24];

    snprintf(number, sizeof(number), "%llu",
             (unsigned long long)json_uint_or(image, "cluster-size", 65536));
    cJSON_AddStringToObject(options, "cluster_size", number);
    cJSON_AddStringToObject(options, "compat", json_string_or(data, "compat", "1.1"));
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

bool source_image_check(const char *format, const cJSON *image, struct error *err)
{
    if (cJSON_GetObjectItemCaseSensitive(specific(image), "encrypt"))
        return error_set(err, ERROR_REFUSED, "its image is encrypted, which xmig cannot make anew");
    if (!strcmp(format, "raw") || !strcmp(format, "qcow2"))
        return true;
    return error_set(err, ERROR_REFUSED, "it is of format '%s'; 'raw' and 'qcow2' can be moved",
                     format);
}

char *source_image_target(const struct host_options *options, const char *name, const char *path,
                          bool is_block_device, const char *vm, struct error *err)
{
    const char *chosen = json_string_or(options->disk_targets, name, NULL);

    if (!options->mirrors_disks)
        return must(strdup(path));
    if (chosen && *chosen == '/')
        return must(strdup(chosen));
    if (!chosen && !is_block_device)
        return path_renamed(path, vm, options->new_name);
    if (chosen)
        error_set(err, ERROR_REFUSED, "its image at the target, '%s', is not an absolute path",
                  chosen);
    else
        error_set(err, ERROR_REFUSED,
                  "it is the block device '%s'; say what it shall be at the target: --disk %s=PATH",
                  path, name);
    return NULL;
}

/* Names, and numbers for where the names are unknown. */
bool source_image_add_owner(cJSON *params, const char *path, struct error *err)
{
    struct stat st;
    const struct passwd *user;
    const struct group *group;

    if (stat(path, &st) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot look at '%s': %m", path);
    user = getpwuid(st.st_uid);
    group = getgrgid(st.st_gid);
    json_add_uint(params, "mode", S_ISBLK(st.st_mode) ? 0600 : st.st_mode & 0777);
    json_add_uint(params, "uid", st.st_uid);
    json_add_uint(params, "gid", st.st_gid);
    if (user)
        cJSON_AddStringToObject(params, "user", user->pw_name);
    if (group)
        cJSON_AddStringToObject(params, "group", group->gr_name);
    return true;
}

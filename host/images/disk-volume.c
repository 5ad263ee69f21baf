/* By LVM's own commands. */
#include "host/images/disk-volume.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "host/system/program.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    LVM_MS = 120000,
    NAME_MAX_LVM = 127
};

/* ---- names ---- */

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-";

static bool is_name(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= NAME_MAX_LVM && *name != '-' && *name != '.' &&
           strspn(name, letters) == length;
}

/* "/dev/GROUP/NAME" in two; `group` is the caller's to free, `name` a part of `path`. */
static bool split(const char *path, char **group, const char **name, struct error *err)
{
    const char *slash = strncmp(path, "/dev/", 5) ? NULL : strchr(path + 5, '/');

    *group = slash ? formatted("%.*s", (int)(slash - path - 5), path + 5) : NULL;
    *name = slash ? slash + 1 : "";
    return (*group && is_name(*group) && is_name(*name)) ||
           error_set(err, ERROR_REFUSED,
                     "'%s' is not the path of a logical volume: /dev/GROUP/NAME", path);
}

char *disk_volume_path(const char *group, const char *vm, const char *disk, struct error *err)
{
    AUTO_FREE char *path = formatted("/dev/%s/%s.%s", group, vm, disk);
    AUTO_FREE char *read = NULL;
    const char *name;

    return split(path, &read, &name, err) ? steal(path) : NULL;
}

/* ---- the group ---- */

bool disk_volume_check(struct loop *loop, const char *path, uint64_t size, struct error *err)
{
    AUTO_FREE char *group = NULL, *output = NULL;
    const char *name;
    uint64_t left, extent;

    if (!split(path, &group, &name, err))
        return false;
    if (access(path, F_OK) == 0)
        return error_set(err, ERROR_REFUSED,
                         "'%s' is there already: name another one, or this one, with --disk", path);
    {
        const char *const words[] = { "vgs", "--noheadings",           "--nosuffix", "--units", "b",
                                      "-o",  "vg_free,vg_extent_size", group,        NULL };

        if (!program_run(loop, words, &output, LVM_MS, err))
            return error_prefix(err, "the volume group '%s'", group);
    }
    if (sscanf(output, "%" SCNu64 " %" SCNu64, &left, &extent) != 2 || extent == 0)
        return error_set(err, ERROR_SYSTEM, "cannot read what vgs says of '%s': %s", group, output);
    if (size % extent != 0)
        return error_set(err, ERROR_REFUSED,
                         "its %" PRIu64 " bytes are no multiple of the extents of '%s', which have "
                         "%" PRIu64 " bytes: make a volume by hand, and name it with --disk",
                         size, group, extent);
    return size <= left ||
           error_set(err, ERROR_REFUSED,
                     "the volume group '%s' has %" PRIu64 " bytes left, and the disk "
                     "has %" PRIu64,
                     group, left, size);
}

/* ---- the volume ---- */

bool disk_volume_create(struct loop *loop, const char *id, const char *path, uint64_t size,
                        struct error *err)
{
    AUTO_FREE char *group = NULL;
    AUTO_FREE char *tag = formatted("xmig-%s", id);
    AUTO_FREE char *bytes = formatted("%" PRIu64 "b", size);
    const char *name;

    if (!split(path, &group, &name, err))
        return false;
    {
        const char *const words[] = { "lvcreate", "--quiet",  "--yes", "--wipesignatures",
                                      "y",        "--addtag", tag,     "--size",
                                      bytes,      "--name",   name,    group,
                                      NULL };

        return program_run(loop, words, NULL, LVM_MS, err) || error_prefix(err, "'%s'", path);
    }
}

static bool has_tag(const char *tags, const char *tag)
{
    size_t length = strlen(tag);

    for (; *tags; tags += strcspn(tags, ", \n")) {
        tags += strspn(tags, ", \n");
        if (!strncmp(tags, tag, length) && strcspn(tags, ", \n") == length)
            return true;
    }
    return false;
}

bool disk_volume_remove(struct loop *loop, const char *id, const char *path, struct error *err)
{
    const char *const look[] = { "lvs", "--noheadings", "-o", "lv_tags", path, NULL };
    const char *const words[] = { "lvremove", "--quiet", "--yes", path, NULL };
    AUTO_FREE char *output = NULL;
    AUTO_FREE char *tag = formatted("xmig-%s", id);

    if (access(path, F_OK) < 0)
        return true;
    if (!program_run(loop, look, &output, LVM_MS, err))
        return error_prefix(err, "'%s'", path);
    return !has_tag(output, tag) || program_run(loop, words, NULL, LVM_MS, err) ||
           error_prefix(err, "'%s'", path);
}

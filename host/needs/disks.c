/* Disks, media and files of the parameters. */
#include "host/needs/disks.h"

#include "host/images/disk-device.h"
#include "xmig/text.h"

bool format_is_plain(const char *format)
{
    static const char *const plain[] = { "raw", "file", "host_device", "host_cdrom" };

    for (size_t i = 0; format && i < sizeof(plain) / sizeof(plain[0]); i++)
        if (!strcmp(format, plain[i]))
            return true;
    return false;
}

static void add_format(const char *image, const char *name, struct needs *needs)
{
    AUTO_FREE char *text = formatted("'%s', which may lead to other files: it is not raw", image);

    needs_add(needs, NEED_UNKNOWN, text, 0, "drive '%s'", name);
}

static void add_disk(const cJSON *disk, bool mirrored, struct needs *needs)
{
    const char *name = json_string_or(disk, "name", "?");
    const char *image = json_string_or(disk, "image", "");
    enum need_kind kind = disk_device_is(image) ? NEED_DEVICE : NEED_IMAGE;

    needs_add(needs, kind, image, json_uint_or(disk, "size", UINT64_MAX), "disk '%s'", name);
    if (kind == NEED_DEVICE && json_true(disk, "overwrite"))
        needs_add(needs, NEED_OVERWRITE, image, 0, "disk '%s'", name);
    if (!mirrored && !format_is_plain(json_string_or(disk, "format", NULL)))
        add_format(image, name, needs);
}

void disks_need(const cJSON *disks, bool mirrored, struct needs *needs)
{
    const cJSON *disk;

    cJSON_ArrayForEach (disk, disks)
        add_disk(disk, mirrored, needs);
}

void media_need(const cJSON *media, const char *otherwise, struct needs *needs)
{
    const cJSON *medium;

    cJSON_ArrayForEach (medium, media) {
        const char *image = json_string_or(medium, "image", "");
        const char *name = json_string_or(medium, "name", "?");

        if (*image)
            needs_add(needs, *image == '/' ? NEED_READ : NEED_UNKNOWN, image, 0, "drive '%s'",
                      name);
        if (*image && !format_is_plain(json_string_or(medium, "format", otherwise)))
            add_format(image, name, needs);
    }
}

void paths_need(const cJSON *paths, enum need_kind kind, struct needs *needs)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, paths) {
        const char *path =
            cJSON_IsString(item) ? item->valuestring : json_string_or(item, "path", "");

        if (!needs_have(needs, kind, path) && !needs_have(needs, NEED_SCRIPT, path))
            needs_add(needs, kind, path, 0, "%s", "");
    }
}

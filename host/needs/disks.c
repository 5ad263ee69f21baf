/* Disks, media and files of the parameters. */
#include "host/needs/disks.h"

#include "host/images/disk-device.h"

static void add_disk(const cJSON *disk, struct needs *needs)
{
    const char *name = json_string_or(disk, "name", "?");
    const char *image = json_string_or(disk, "image", "");
    enum need_kind kind = disk_device_is(image) ? NEED_DEVICE : NEED_IMAGE;

    needs_add(needs, kind, image, json_uint_or(disk, "size", UINT64_MAX), "disk '%s'", name);
    if (kind == NEED_DEVICE && json_true(disk, "overwrite"))
        needs_add(needs, NEED_OVERWRITE, image, 0, "disk '%s'", name);
}

void disks_need(const cJSON *disks, struct needs *needs)
{
    const cJSON *disk;

    cJSON_ArrayForEach (disk, disks)
        add_disk(disk, needs);
}

void media_need(const cJSON *media, struct needs *needs)
{
    const cJSON *medium;

    cJSON_ArrayForEach (medium, media) {
        const char *image = json_string_or(medium, "image", "");

        if (*image)
            needs_add(needs, *image == '/' ? NEED_READ : NEED_UNKNOWN, image, 0, "drive '%s'",
                      json_string_or(medium, "name", "?"));
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

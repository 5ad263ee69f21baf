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

static void add_disk(const struct disk_params *disk, bool mirrored, struct needs *needs)
{
    enum need_kind kind = disk_device_is(disk->image) ? NEED_DEVICE : NEED_IMAGE;

    needs_add(needs, kind, disk->image, disk->size, "disk '%s'", disk->name);
    if (kind == NEED_DEVICE && disk->overwrite)
        needs_add(needs, NEED_OVERWRITE, disk->image, 0, "disk '%s'", disk->name);
    if (!mirrored && !format_is_plain(disk->format))
        add_format(disk->image, disk->name, needs);
}

void disks_need(const struct disk_params *disks, bool mirrored, struct needs *needs)
{
    for (; disks->name; disks++)
        add_disk(disks, mirrored, needs);
}

void medium_need(const char *name, const char *image, const char *format, struct needs *needs)
{
    if (!*image)
        return;
    needs_add(needs, *image == '/' ? NEED_READ : NEED_UNKNOWN, image, 0, "drive '%s'", name);
    if (!format_is_plain(format))
        add_format(image, name, needs);
}

void path_need(const char *path, enum need_kind kind, struct needs *needs)
{
    if (!needs_have(needs, kind, path) && !needs_have(needs, NEED_SCRIPT, path))
        needs_add(needs, kind, path, 0, "%s", "");
}

void paths_need(const cJSON *paths, enum need_kind kind, struct needs *needs)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, paths)
        path_need(item->valuestring, kind, needs);
}

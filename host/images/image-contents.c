/* Internal snapshots are in the image's file, and a mirror copies what the guest sees. Bitmaps tell
 * a backup what has changed: QEMU's migration takes those along that a running image has.
 */
#include "host/images/image-contents.h"

#include <stdio.h>

#include "xmig/text.h"

static bool may_lose(const struct vm_options *options, const char *disk, const char *what)
{
    return json_true(json_get(options->lose, disk), what);
}

/* "'one', 'two'"; the caller frees it; NULL: there are none. */
static char *join(char *list, const cJSON *items)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, items) {
        char *longer;

        longer = formatted("%s%s'%s'", list ? list : "", list ? ", " : "",
                           json_string_or(item, "name", "?"));
        free(list);
        list = longer;
    }
    return list;
}

static const cJSON *stored_bitmaps(const cJSON *image)
{
    return json_get(json_get(json_get(image, "format-specific"), "data"), "bitmaps");
}

/* A bitmap without a name belongs to a job. */
static bool is_somebodys(const cJSON *bitmap)
{
    return *json_string_or(bitmap, "name", "") != '\0';
}

static bool refuse(const char *what, const char *names, const char *disk, const char *cure,
                   struct error *err)
{
    return error_set(err, ERROR_REFUSED,
                     "its image holds %s (%s), which would be lost: %s, or go on without them: "
                     "--lose %s=%s",
                     what, names, cure, disk, strstr(what, "snapshots") ? "snapshots" : "bitmaps");
}

static bool check_snapshots(const struct vm_options *options, const char *disk, const cJSON *image,
                            struct error *err)
{
    AUTO_FREE char *names = NULL;

    if (may_lose(options, disk, "snapshots"))
        return true;
    for (; image; image = json_get(image, "backing-image"))
        names = join(names, json_get(image, "snapshots"));
    return !names ||
           refuse("internal snapshots", names, disk, "delete them (qemu-img snapshot -d)", err);
}

static bool check_bitmap(const cJSON *bitmap, const char *disk, struct error *err)
{
    const char *name = json_string_or(bitmap, "name", "");

    if (json_true(bitmap, "busy"))
        return error_set(
            err, ERROR_REFUSED,
            "its bitmap '%s' is in use, by a backup: wait for its end, or say --lose %s=bitmaps",
            name, disk);
    if (json_true(bitmap, "inconsistent"))
        return error_set(err, ERROR_REFUSED,
                         "its bitmap '%s' is not consistent, and does not travel: remove it, or "
                         "say --lose %s=bitmaps",
                         name, disk);
    return true;
}

static bool check_bitmaps(const struct vm_options *options, const char *disk, const cJSON *inserted,
                          bool travel, struct error *err)
{
    const cJSON *image = json_get(inserted, "image");
    AUTO_FREE char *names = NULL;
    const cJSON *bitmap;

    if (may_lose(options, disk, "bitmaps"))
        return true;
    cJSON_ArrayForEach (bitmap, json_get(inserted, "dirty-bitmaps"))
        if (travel && is_somebodys(bitmap) && !check_bitmap(bitmap, disk, err))
            return false;
    if (!travel)
        names = join(names, json_get(inserted, "dirty-bitmaps"));
    while ((image = json_get(image, "backing-image")))
        names = join(names, stored_bitmaps(image));
    return !names || refuse("bitmaps", names, disk, "remove them", err);
}

bool image_contents_check(const struct vm_options *options, const char *disk, const cJSON *inserted,
                          bool bitmaps_travel, struct error *err)
{
    const cJSON *image = json_get(inserted, "image");

    if (!options->mirrors_disks)
        return true;
    if (json_true(json_get(json_get(image, "format-specific"), "data"), "corrupt"))
        return error_set(err, ERROR_REFUSED, "its image is marked as corrupt: see qemu-img check");
    return check_snapshots(options, disk, image, err) &&
           check_bitmaps(options, disk, inserted, bitmaps_travel, err);
}

bool image_contents_check_filter(const struct vm_options *options, const char *disk,
                                 const cJSON *node, struct error *err)
{
    const cJSON *bitmap;

    if (!options->mirrors_disks || may_lose(options, disk, "bitmaps"))
        return true;
    cJSON_ArrayForEach (bitmap, json_get(node, "dirty-bitmaps"))
        if (is_somebodys(bitmap))
            return error_set(err, ERROR_REFUSED,
                             "its bitmap '%s' is one of the filter '%s', and would be lost: remove "
                             "it, or say --lose %s=bitmaps",
                             json_string_or(bitmap, "name", ""),
                             json_string_or(node, "node-name", "?"), disk);
    return true;
}

cJSON *image_contents_bitmaps(const struct vm_options *options, const char *disk,
                              const cJSON *inserted, bool *persistent)
{
    cJSON *names = must(cJSON_CreateArray());
    const cJSON *bitmap;

    *persistent = false;
    if (!options->mirrors_disks || may_lose(options, disk, "bitmaps"))
        return names;
    cJSON_ArrayForEach (bitmap, json_get(inserted, "dirty-bitmaps")) {
        if (!is_somebodys(bitmap))
            continue;
        *persistent = *persistent || json_true(bitmap, "persistent");
        cJSON_AddItemToArray(names, must(cJSON_CreateString(json_string_or(bitmap, "name", ""))));
    }
    return names;
}

void image_contents_map(cJSON *mapping, const char *node, const char *disk, const cJSON *bitmaps)
{
    cJSON *map = must(cJSON_CreateObject());
    cJSON *list;
    const cJSON *name;
    AUTO_FREE char *alias = formatted("xmig-%s", disk);

    cJSON_AddStringToObject(map, "node-name", node);
    cJSON_AddStringToObject(map, "alias", alias);
    list = cJSON_AddArrayToObject(map, "bitmaps");
    cJSON_ArrayForEach (name, bitmaps) {
        cJSON *item = json_new("name", name->valuestring);

        cJSON_AddStringToObject(item, "alias", name->valuestring);
        cJSON_AddItemToArray(list, item);
    }
    cJSON_AddItemToArray(mapping, map);
}

/* What becomes of the target's disk images when the VM does not run from them: discarded or kept.
 */
#include "host/images/disk-discard.h"

#include <errno.h>
#include <unistd.h>

#include "host/images/disk-mapping.h"
#include "host/images/disk-volume.h"
#include "host/system/file-identity.h"
#include "xmig/facts.h"
#include "xmig/paths.h"
#include "xmig/text.h"

/* ---- names ---- */

static char *with_suffix(const struct disk_images *images, const char *path, const char *suffix)
{
    return formatted("%s.xmig-%s%s", path, images->context->id, suffix);
}

char *disk_images_partial(const struct disk_images *images, const char *path)
{
    return with_suffix(images, path, ".partial");
}

/* For a complete copy whose VM went back to the source. */
static char *kept_name(const struct disk_images *images, const char *path)
{
    return with_suffix(images, path, "");
}

/* ---- discard ---- */

void disk_images_let_go(struct disk_images *images)
{
    for (size_t i = 0; i < images->held_count; i++)
        close(images->held[i]);
    free(steal(images->held));
    images->held_count = 0;
}

static bool remove_file(const char *path, struct error *err)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return true;
    return error_set(err, ERROR_SYSTEM, "cannot remove '%s': %m", path);
}

static bool discard_image(struct disk_images *images, const cJSON *fact, struct error *err)
{
    const char *path = json_string_or(fact, "path", "");
    AUTO_FREE char *partial = disk_images_partial(images, path);
    AUTO_FREE char *kept = kept_name(images, path);
    const char *const names[] = { partial, kept, path };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (file_identity_has(names[i], fact) && !remove_file(names[i], err))
            return false;
    return true;
}

/* Partial files that a crash left without a note of their own. */
static bool discard_unnoted(struct disk_images *images, const cJSON *fact, struct error *err)
{
    const cJSON *path;

    cJSON_ArrayForEach (path, json_get(fact, "paths")) {
        AUTO_FREE char *partial =
            cJSON_IsString(path) ? disk_images_partial(images, path->valuestring) : NULL;

        if (partial && !remove_file(partial, err))
            return false;
    }
    return true;
}

static bool is_mapping(const cJSON *fact)
{
    return fact_of(fact) == FACT_MAPPING;
}

static bool is_device(const cJSON *fact)
{
    return fact_of(fact) == FACT_DEVICE;
}

static bool remove_mapping(struct disk_images *images, const cJSON *fact, struct error *err)
{
    return disk_mapping_remove(images->context->loop, json_string_or(fact, "path", ""), err);
}

static bool remove_volume(struct disk_images *images, const cJSON *fact, struct error *err)
{
    disk_images_let_go(images);
    return disk_volume_remove(images->context->loop, images->context->id,
                              json_string_or(fact, "path", ""), err);
}

static bool discard(struct disk_images *images, const cJSON *fact, struct error *err)
{
    if (fact_of(fact) == FACT_VOLUME)
        return remove_volume(images, fact, err);
    if (is_mapping(fact))
        return remove_mapping(images, fact, err);
    if (is_device(fact))
        return true; /* it was there before */
    return json_get(fact, "paths") ? discard_unnoted(images, fact, err)
                                   : discard_image(images, fact, err);
}

bool disk_images_discard(struct disk_images *images, struct error *err)
{
    const cJSON *fact;

    cJSON_ArrayForEach (fact, images->facts)
        if (!discard(images, fact, err))
            return false;
    return true;
}

/* ---- keep ---- */

/* Rename the image. A block device keeps its data; only a mapping of it is removed. */
static bool keep_image(struct disk_images *images, const cJSON *fact, struct error *err)
{
    const char *path = json_string_or(fact, "path", "");
    AUTO_FREE char *kept = kept_name(images, path);

    if (is_mapping(fact))
        return remove_mapping(images, fact, err);
    if (is_device(fact) || fact_of(fact) == FACT_VOLUME || !file_identity_has(path, fact))
        return true; /* it is kept already */
    if (!path_rename(path, kept, err))
        return false;
    event_say(&images->context->events, EVENT_NOTE, NULL,
              "the complete copy of a disk is kept as '%s'", kept);
    return true;
}

char *disk_images_kept(const cJSON *fact, const char *id)
{
    AUTO_FREE char *kept = NULL;

    if (fact_of(fact) != FACT_IMAGE)
        return NULL;
    kept = formatted("%s.xmig-%s", json_string_or(fact, "path", ""), id);
    return file_identity_has(kept, fact) ? steal(kept) : NULL;
}

bool disk_images_keep(struct disk_images *images, struct error *err)
{
    const cJSON *fact;

    cJSON_ArrayForEach (fact, images->facts)
        if (!json_get(fact, "paths") && !keep_image(images, fact, err))
            return false;
    return true;
}

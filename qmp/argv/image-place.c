/* Walking down the nodes of one -drive or -blockdev, and up again. */
#include "qmp/argv/image-place.h"

#include "qmp/block-image.h"
#include "xmig/cleanup.h"
#include "xmig/error.h"
#include "xmig/text.h"

enum {
    DEPTH_MAX = 8
};

static const char step[] = "file.";

/* "file.file." → "file."; the caller frees it. NULL: there is no node above. */
static char *above(const char *prefix)
{
    size_t len = strlen(prefix);

    return len ? must(strndup(prefix, len - strlen(step))) : NULL;
}

const char *image_place_driver(const struct image_place *place, const struct keyvals *kv,
                               const char *prefix)
{
    AUTO_FREE char *key = formatted("%sdriver", prefix);
    const char *driver = keyvals_get(kv, key);

    return !driver && place->is_drive && !*prefix ? keyvals_get(kv, "format") : driver;
}

/* From `prefix`, which is freed, upwards: the first node that is no filter. NULL: all are. */
static char *skip_filters(const struct image_place *place, const struct keyvals *kv, char *prefix)
{
    while (prefix && block_is_filter(image_place_driver(place, kv, prefix))) {
        char *next = above(prefix);

        free(prefix);
        prefix = next;
    }
    return prefix;
}

/* A key of the node with that prefix. */
static bool look_at(const struct keyvals *kv, const char *prefix, struct image_place *place)
{
    AUTO_FREE char *filename = formatted("%sfilename", prefix);
    AUTO_FREE char *file = formatted("%sfile", prefix);

    if (keyvals_get(kv, filename)) {
        place->key = steal(filename);
        place->opener = must(strdup(prefix));
        return true;
    }
    if (!keyvals_get(kv, file))
        return false;
    place->refers = !place->is_drive || *prefix;
    place->opener = place->refers ? must(strdup(prefix)) : must(strdup(step));
    place->key = steal(file);
    return true;
}

bool image_place_find(const struct keyvals *kv, bool is_drive, struct image_place *place)
{
    AUTO_FREE char *prefix = must(strdup(""));
    bool found = false;

    *place = (struct image_place){ .is_drive = is_drive };
    for (int depth = 0; !found && depth < DEPTH_MAX; depth++) {
        char *deeper = formatted("%s%s", prefix, step);

        found = look_at(kv, prefix, place);
        free(prefix);
        prefix = deeper;
    }
    if (!found)
        return false;
    place->format = place->refers ? must(strdup(place->opener)) : above(place->opener);
    if (!place->format && is_drive)
        place->format = must(strdup(""));
    place->format = skip_filters(place, kv, place->format);
    return true;
}

void image_place_done(struct image_place *place)
{
    free(place->key);
    free(place->opener);
    free(place->format);
    *place = (struct image_place){ 0 };
}

void image_place_each(const struct image_place *place, void (*act)(void *arg, const char *prefix),
                      void *arg)
{
    AUTO_FREE char *prefix = must(strdup(place->opener));

    while (prefix) {
        char *next = above(prefix);

        act(arg, prefix);
        free(prefix);
        prefix = next;
    }
}

/* The keys that are about the old image go, and those that are about the disk stay. */
#include "host/qemu/argv/moved-image.h"

#include "host/images/disk-device.h"
#include "xmig/text.h"

const char *moved_image_known_format(const char *name)
{
    if (name && !strcmp(name, "raw"))
        return "raw";
    if (name && !strcmp(name, "qcow2"))
        return "qcow2";
    return NULL;
}

bool moved_image_claim(struct argv_disk *disk, const char *format, struct error *err)
{
    if (disk->found)
        return error_set(err, ERROR_REFUSED, "the disk image '%s' is opened twice", disk->paths[0]);
    disk->found = true;
    disk->format_at_target = disk_device_is(disk->target) ? "raw" : format;
    return true;
}

/* ---- one node ---- */

static void remove_key(struct keyvals *kv, const char *prefix, const char *key)
{
    AUTO_FREE char *name = formatted("%s%s", prefix, key);

    keyvals_remove(kv, name);
}

static void remove_prefixed(struct keyvals *kv, const char *prefix, const char *key)
{
    AUTO_FREE char *name = formatted("%s%s", prefix, key);

    keyvals_remove_prefixed(kv, name);
}

/* What the image lies on, and which part of its file it is. */
static void forget_image(void *arg, const char *prefix)
{
    struct keyvals *kv = arg;

    remove_prefixed(kv, prefix, "backing");
    remove_key(kv, prefix, "bottom");
    remove_key(kv, prefix, "offset");
    remove_key(kv, prefix, "size");
}

static void set_driver(struct keyvals *kv, const struct image_place *place, const char *prefix,
                       const char *driver)
{
    AUTO_FREE char *key = formatted("%sdriver", prefix);
    bool is_short = place->is_drive && !*prefix && !keyvals_get(kv, key);

    keyvals_set(kv, is_short ? "format" : key, driver);
}

/* Words that only a driver of qcow2 images understands. */
static void forget_qcow2(struct keyvals *kv, const char *prefix)
{
    static const char *const keys[] = { "lazy-refcounts",      "cache-size",
                                        "l2-cache-size",       "l2-cache-entry-size",
                                        "refcount-cache-size", "cache-clean-interval",
                                        "discard-no-unref" };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        remove_key(kv, prefix, keys[i]);
    remove_prefixed(kv, prefix, "pass-discard-");
    remove_prefixed(kv, prefix, "overlap-check");
}

static void become_format(struct keyvals *kv, const struct image_place *place,
                          const struct argv_disk *disk)
{
    const char *said = image_place_driver(place, kv, place->format);

    if (said && !strcmp(said, disk->format_at_target))
        return;
    if (said && !moved_image_known_format(said))
        return; /* the node above a -blockdev of a kind that needs no other */
    set_driver(kv, place, place->format, disk->format_at_target);
    if (!strcmp(disk->format_at_target, "raw"))
        forget_qcow2(kv, place->format);
}

/* A -drive finds the driver by itself, unless told. */
static void become_opener(struct keyvals *kv, const struct image_place *place,
                          const struct argv_disk *disk)
{
    AUTO_FREE char *key = formatted("%sdriver", place->opener);

    if (!place->is_drive || keyvals_get(kv, key))
        keyvals_set(kv, key, disk_device_is(disk->target) ? "host_device" : "file");
}

/* ---- thin ---- */

struct unmapping {
    const struct keyvals *kv;
    bool passes;
};

static bool is_unmap(const char *said)
{
    return !strcmp(said, "unmap") || !strcmp(said, "on");
}

/* A node within another passes on what is unmapped unless told not to. */
static void look_for_ignore(void *arg, const char *prefix)
{
    struct unmapping *unmapping = arg;
    AUTO_FREE char *key = formatted("%sdiscard", prefix);
    const char *said = keyvals_get(unmapping->kv, key);

    unmapping->passes = unmapping->passes && (said ? is_unmap(said) : *prefix != '\0');
}

/* From 9.1 on QEMU leaves a hole in a raw image where zeroes are written only if told to unmap. The
 * guest sees no other device; but what it trims is then given back, which is what makes the image
 * thin.
 */
static bool keep_thin(struct keyvals *kv, const struct image_place *place,
                      const struct argv_disk *disk)
{
    struct unmapping unmapping = { .kv = kv, .passes = true };

    if (!keyvals_get(kv, "discard") && !disk->stays_full && !strcmp(disk->format_at_target, "raw"))
        keyvals_set(kv, "discard", "unmap");
    image_place_each(place, look_for_ignore, &unmapping);
    return unmapping.passes;
}

/* ---- the public face ---- */

void moved_image_open(struct keyvals *kv, const struct image_place *place, struct argv_disk *disk)
{
    image_place_each(place, forget_image, kv);
    keyvals_set(kv, place->key, disk->target);
    become_opener(kv, place, disk);
    if (place->format)
        become_format(kv, place, disk);
    disk->unmaps = keep_thin(kv, place, disk);
}

void moved_image_lie_above(struct keyvals *kv, const struct image_place *place,
                           struct argv_disk *disk)
{
    image_place_each(place, forget_image, kv);
    if (place->format)
        become_format(kv, place, disk);
    disk->unmaps = keep_thin(kv, place, disk) && disk->unmaps;
}

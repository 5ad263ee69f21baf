/* Options that name disk images. Those of disks that move get the target's image; all others
 * are read-only media, which the target must have.
 */
#include <stdio.h>

#include "host/qemu/argv/rewriters.h"
#include "host/qemu/params.h"
#include "xmig/paths.h"
#include "xmig/text.h"

/* The disk that has an image of this name: the name that QEMU says, or its real path. */
static struct argv_disk *find_name(const struct argv_vm *vm, bool as_said, const char *name)
{
    for (size_t i = 0; i < vm->disk_count; i++) {
        struct argv_disk *disk = &vm->disks[i];
        char **names = as_said ? disk->said : disk->paths;

        for (size_t layer = 0; names && names[layer]; layer++)
            if (!strcmp(names[layer], name)) {
                disk->layer = layer;
                return disk;
            }
    }
    return NULL;
}

/* The disk that has this image; `*top`: as its top layer, and not as one that lies beneath. QEMU's
 * own word for the image is compared first, for the path may lead to another file by now.
 */
static struct argv_disk *find_disk(const struct argv_vm *vm, const char *path, bool *top)
{
    AUTO_FREE char *real = path_real(vm->cwd, path);
    struct argv_disk *disk = find_name(vm, true, path);

    if (!disk)
        disk = find_name(vm, false, real);
    *top = disk && disk->layer == 0;
    return disk;
}

static const char *without_scheme(const char *name)
{
    return strncmp(name, "file:", 5) ? name : name + 5;
}

static bool claim(struct argv_disk *disk, const char *format, struct error *err)
{
    if (disk->found)
        return error_set(err, ERROR_REFUSED, "the disk image '%s' is opened twice", disk->paths[0]);
    disk->found = true;
    disk->format_at_target = format;
    return true;
}

static const char *known_format(const char *name)
{
    if (name && !strcmp(name, "raw"))
        return "raw";
    if (name && !strcmp(name, "qcow2"))
        return "qcow2";
    return NULL;
}

/* ---- -drive ---- */

/* The first of `keys` that has a value, or NULL. */
static const char *first_key(const struct keyvals *kv, const char *const keys[])
{
    for (size_t i = 0; keys[i]; i++)
        if (keyvals_get(kv, keys[i]))
            return keys[i];
    return NULL;
}

/* With a snapshot on top of it the image on the command line may be in another format than
 * the disk has now; the target's is what the command line says.
 */
static bool choose_format(const struct argv_disk *disk, const struct keyvals *kv, bool top,
                          const char **format, struct error *err)
{
    const char *said =
        keyvals_get(kv, "format") ? keyvals_get(kv, "format") : keyvals_get(kv, "driver");

    *format = said ? known_format(said) : disk->format;
    if (!*format || (!said && !top))
        return error_set(err, ERROR_REFUSED,
                         "the disk image '%s' is opened without a format, or in one that xmig does "
                         "not make: 'raw' and 'qcow2' can be moved",
                         disk->paths[0]);
    return true;
}

/* Remove the keys that describe the old image, and not the disk. */
static void forget_image(struct keyvals *kv)
{
    keyvals_remove_prefixed(kv, "backing");
    keyvals_remove(kv, "offset");
    keyvals_remove(kv, "size");
}

/* From 9.1 on QEMU leaves a hole in a raw image where zeroes are written only if told to unmap. The
 * guest sees no other device; but what it trims is then given back, which is what makes the image
 * thin.
 */
static bool keep_thin(struct keyvals *kv, const struct argv_disk *disk)
{
    const char *said = keyvals_get(kv, "discard");

    if (!said && !disk->stays_full && !strcmp(disk->format_at_target, "raw"))
        keyvals_set(kv, "discard", "unmap");
    said = keyvals_get(kv, "discard");
    return said && (!strcmp(said, "unmap") || !strcmp(said, "on"));
}

/* An image whose name ends in another format's would be a trap for the next person to open it. */
static bool name_for_format(struct argv_disk *disk, struct error *err)
{
    const char *dot = strrchr(disk->target, '.');
    const char *said = dot ? known_format(dot + 1) : NULL;

    if (!said || !strcmp(said, disk->format_at_target))
        return true;
    if (disk->is_chosen)
        return error_set(err, ERROR_REFUSED,
                         "the image at the target, '%s', will be in the format %s: name it so",
                         disk->target, disk->format_at_target);
    disk->renamed =
        formatted("%.*s.%s", (int)(dot - disk->target), disk->target, disk->format_at_target);
    disk->target = disk->renamed;
    return true;
}

static bool move_drive(struct keyvals *kv, const char *key, struct argv_disk *disk, bool top,
                       struct error *err)
{
    const char *format;

    if (!choose_format(disk, kv, top, &format, err) || !claim(disk, format, err) ||
        (!top && !name_for_format(disk, err)))
        return false;
    forget_image(kv);
    keyvals_set(kv, key, disk->target);
    if (keyvals_get(kv, "file.driver"))
        keyvals_set(kv, "file.driver", "file");
    if (!keyvals_get(kv, "driver"))
        keyvals_set(kv, "format", format);
    disk->unmaps = keep_thin(kv, disk);
    return true;
}

/* ---- media that may have been changed ---- */

/* Does the image lie in a drive that can be opened, and stays there? */
static bool stays(const struct argv_vm *vm, const char *path)
{
    AUTO_FREE char *absolute = path_absolute(vm->cwd, path);
    struct qemu_medium medium;
    const cJSON *item;

    fields_each (item, vm->media, qemu_medium_fields, &medium)
        if (!strcmp(medium.source, absolute) && !strcmp(medium.image, absolute))
            return true;
    return false;
}

static bool can_be_opened(const struct argv_vm *vm, const struct keyvals *kv)
{
    const char *media = keyvals_get(kv, "media");
    const char *interface = keyvals_get(kv, "if");
    const char *id = keyvals_get(kv, "id");
    struct qemu_medium medium;
    const cJSON *item;

    if ((media && !strcmp(media, "cdrom")) || (interface && !strcmp(interface, "floppy")))
        return true;
    fields_each (item, vm->media, qemu_medium_fields, &medium)
        if (id && !strcmp(medium.device, id))
            return true;
    return false;
}

/* The target's drive is empty at its start, and gets its medium then. */
static void empty_drive(struct keyvals *kv)
{
    static const char *const about_image[] = { "file", "filename", "format", "driver" };

    for (size_t i = 0; i < sizeof(about_image) / sizeof(about_image[0]); i++)
        keyvals_remove(kv, about_image[i]);
    keyvals_remove_prefixed(kv, "file.");
    forget_image(kv);
}

bool rewriting_node_stays(const struct argv_vm *vm, const char *node)
{
    struct qemu_medium medium;
    const cJSON *item;

    fields_each (item, vm->media, qemu_medium_fields, &medium)
        if (!strcmp(medium.node, node))
            return !strcmp(medium.source, medium.image);
    return false;
}

bool rewrite_drive(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    static const char *const keys[] = { "file", "file.filename", "filename", NULL };
    const struct argv_vm *vm = qemu_of(r)->vm;
    const char *key = first_key(kv, keys);
    const char *file = key ? without_scheme(keyvals_get(kv, key)) : NULL;
    struct argv_disk *disk;
    bool top;

    if (keyvals_flag(kv, "snapshot"))
        return error_set(err, ERROR_REFUSED,
                         "a disk with snapshot=on lives in a temporary file: it cannot be moved");
    if (!block_drivers_check(kv, err))
        return false;
    block_peers(r, kv, file);
    if (file && !block_name_is_local(file))
        return block_name_check(file, err);
    if (!file)
        return true;
    disk = find_disk(vm, file, &top);
    if (disk)
        return move_drive(kv, key, disk, top, err);
    if (*file && vm->media && can_be_opened(vm, kv) && !stays(vm, file)) {
        empty_drive(kv);
    } else if (*file) {
        AUTO_FREE char *path = rewriting_need(r, file);

        keyvals_set(kv, key, path);
        rewriting_other_paths(r, kv);
    }
    return true;
}

/* ---- -hda FILE and its kind, which are short for a -drive ---- */

static const struct {
    const char *option;
    const char *drive;
} shorts[] = {
    { "hda", "index=0,media=disk" },    { "hdb", "index=1,media=disk" },
    { "hdc", "index=2,media=disk" },    { "hdd", "index=3,media=disk" },
    { "cdrom", "index=2,media=cdrom" }, { "fda", "if=floppy,index=0" },
    { "fdb", "if=floppy,index=1" },     { "pflash", "if=pflash" },
    { "mtdblock", "if=mtd" },           { "sd", "if=sd" },
};

bool rewrite_hda(struct rewriting *r, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *drive = "";

    for (size_t i = 0; i < sizeof(shorts) / sizeof(shorts[0]); i++)
        if (!strcmp(shorts[i].option, r->option))
            drive = shorts[i].drive;
    keyvals_parse(drive, &kv, NULL);
    keyvals_set(&kv, "file", value);
    if (!rewrite_drive(r, &kv, err))
        return false;
    rewriting_emit_keyvals(r, "drive", &kv);
    return true;
}

/* ---- -blockdev ---- */

/* The driver of the node that has `key`: "file.filename" → "file.driver". */
static void use_plain_file(struct keyvals *kv, const char *key)
{
    int len = (int)(strlen(key) - strlen("filename"));
    AUTO_FREE char *driver = formatted("%.*sdriver", len, key);

    keyvals_set(kv, driver, "file");
}

/* A node that is written to by way of others is thin only if each of them lets zeroes pass. */
static void remember_node(struct qemu_rewriting *q, const struct keyvals *kv,
                          const struct argv_disk *disk)
{
    const char *node = keyvals_get(kv, "node-name");

    if (node)
        json_add_uint(q->nodes, node, (uint64_t)(disk - q->vm->disks));
}

static void keep_thin_above(struct qemu_rewriting *q, struct keyvals *kv)
{
    const char *file = keyvals_get(kv, "file");
    uint64_t i = file ? json_uint_or(q->nodes, file, UINT64_MAX) : UINT64_MAX;
    struct argv_disk *disk = i < q->vm->disk_count ? &q->vm->disks[i] : NULL;

    if (!disk)
        return;
    disk->unmaps = keep_thin(kv, disk) && disk->unmaps;
    remember_node(q, kv, disk);
}

static bool move_blockdev(struct qemu_rewriting *q, struct keyvals *kv, const char *key,
                          struct argv_disk *disk, bool top, struct error *err)
{
    if (!top)
        return error_set(err, ERROR_REFUSED,
                         "the disk image '%s' lies on others that have a -blockdev of their own: "
                         "commit or pull them first",
                         disk->paths[0]);
    if (!claim(disk, disk->format, err))
        return false;
    forget_image(kv);
    keyvals_set(kv, key, disk->target);
    use_plain_file(kv, key);
    disk->unmaps = keep_thin(kv, disk);
    remember_node(q, kv, disk);
    return true;
}

bool rewrite_blockdev(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    static const char *const keys[] = { "filename", "file.filename", "file.file.filename", NULL };
    struct qemu_rewriting *q = qemu_of(r);
    const char *backing = keyvals_get(kv, "backing");
    const char *key = first_key(kv, keys);
    struct argv_disk *disk;
    bool top;

    if (!block_drivers_check(kv, err))
        return false;
    if (backing && *backing)
        return error_set(err, ERROR_REFUSED,
                         "a -blockdev with another as its backing cannot be moved: commit or pull "
                         "it first");
    if (key) {
        disk = find_disk(q->vm, keyvals_get(kv, key), &top);
        if (disk)
            return move_blockdev(q, kv, key, disk, top, err);
        rewriting_path_key(r, kv, key, rewriting_need);
    }
    block_peers(r, kv, NULL);
    rewriting_other_paths(r, kv);
    keep_thin_above(q, kv);
    return true;
}

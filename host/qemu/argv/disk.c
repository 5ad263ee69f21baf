/* Options that name disk images. Those of disks that move get the target's image; all others
 * are read-only media, which the target must have.
 */
#include "host/qemu/argv/moved-image.h"
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

struct argv_disk *rewriting_find_disk(const struct argv_vm *vm, const char *path, bool *top)
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

/* ---- -drive file=json:{…} ---- */

/* A key that says the same as one of the line is not needed: the line's counts. */
static bool is_said(const struct keyvals *kv, const char *key)
{
    return keyvals_get(kv, key) || (!strcmp(key, "driver") && keyvals_get(kv, "format"));
}

static void spread(struct keyvals *kv, const char *prefix, const cJSON *json)
{
    const cJSON *item;
    int number = 0;

    cJSON_ArrayForEach (item, json) {
        AUTO_FREE char *key = cJSON_IsArray(json) ? formatted("%s%d", prefix, number++)
                                                  : formatted("%s%s", prefix, item->string);
        AUTO_FREE char *deeper = formatted("%s.", key);
        AUTO_FREE char *text = json_print(item);

        if (cJSON_IsObject(item) || cJSON_IsArray(item))
            spread(kv, deeper, item);
        else if (!is_said(kv, key) && cJSON_IsBool(item))
            keyvals_set_flag(kv, key, cJSON_IsTrue(item));
        else if (!is_said(kv, key))
            keyvals_set(kv, key, cJSON_IsString(item) ? item->valuestring : text);
    }
}

/* Write such a name as the keys that it is short for, so that those are looked at. */
static void json_name_spread(struct keyvals *kv)
{
    static const char scheme[] = "json:";
    const char *name = keyvals_get(kv, "file");
    AUTO_JSON cJSON *json = NULL;

    if (name && !strncmp(name, scheme, strlen(scheme)))
        json = cJSON_Parse(name + strlen(scheme));
    if (!cJSON_IsObject(json) || !json->child)
        return;
    keyvals_remove(kv, "file");
    spread(kv, "", json);
}

/* ---- -drive ---- */

/* With a snapshot on top of it the image on the command line may be in another format than
 * the disk has now; the target's is what the command line says.
 */
static bool choose_format(const struct argv_disk *disk, const struct keyvals *kv,
                          const struct image_place *place, bool top, const char **format,
                          struct error *err)
{
    const char *said = place->format ? image_place_driver(place, kv, place->format) : "raw";

    *format = said ? moved_image_known_format(said) : disk->format;
    if (!*format || (!said && !top))
        return error_set(err, ERROR_REFUSED,
                         "the disk image '%s' is opened without a format, or in one that xmig does "
                         "not make: 'raw' and 'qcow2' can be moved",
                         disk->paths[0]);
    return true;
}

/* An image whose name ends in another format's would be a trap for the next person to open it. */
static bool name_for_format(struct argv_disk *disk, struct error *err)
{
    const char *dot = strrchr(disk->target, '.');
    const char *said = dot ? moved_image_known_format(dot + 1) : NULL;

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

static bool move_drive(struct keyvals *kv, const struct image_place *place, struct argv_disk *disk,
                       bool top, struct error *err)
{
    const char *format;

    if (!choose_format(disk, kv, place, top, &format, err) ||
        !moved_image_claim(disk, format, err) || (!top && !name_for_format(disk, err)))
        return false;
    moved_image_open(kv, place, disk);
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
    static const char *const about_image[] = { "file",   "filename", "format",
                                               "driver", "offset",   "size" };

    for (size_t i = 0; i < sizeof(about_image) / sizeof(about_image[0]); i++)
        keyvals_remove(kv, about_image[i]);
    keyvals_remove_prefixed(kv, "file.");
    keyvals_remove_prefixed(kv, "backing");
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

static bool rewrite_medium(struct rewriting *r, struct keyvals *kv, const struct image_place *place,
                           const char *file)
{
    const struct argv_vm *vm = qemu_of(r)->vm;

    if (*file && vm->media && can_be_opened(vm, kv) && !stays(vm, file)) {
        empty_drive(kv);
    } else if (*file) {
        AUTO_FREE char *path = rewriting_need(r, file);

        keyvals_set(kv, place->key, path);
        rewriting_other_paths(r, kv);
    }
    return true;
}

static bool refuse_snapshot(const char *option, const char *value, struct error *err)
{
    return error_set(
        err, ERROR_REFUSED,
        "'-%s%s%s' has all that the guest writes put into a temporary file, which is "
        "gone when QEMU ends: what is there cannot be moved; to keep it, write it into "
        "the image (commit all), and start the VM without that word",
        option, value ? " " : "", value ? value : "");
}

bool rewriting_keeps_writes(const struct option_table *table, const cJSON *words, struct error *err)
{
    struct option_step step = { .rest = words->child };

    while (option_next(table, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };

        if (!strcmp(step.name, "snapshot") ||
            (!strcmp(step.name, "drive") && keyvals_parse(step.value, &kv, NULL) &&
             keyvals_flag(&kv, "snapshot")))
            return refuse_snapshot(step.name, step.value, err);
    }
    return true;
}

bool rewrite_drive(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    AUTO_PLACE struct image_place place = { 0 };
    const char *file;
    struct argv_disk *disk;
    bool top;

    if (keyvals_flag(kv, "snapshot"))
        return refuse_snapshot(r->option, r->value, err);
    json_name_spread(kv);
    if (!block_drivers_check(kv, err))
        return false;
    file = image_place_find(kv, true, &place) ? without_scheme(keyvals_get(kv, place.key)) : NULL;
    block_peers(r, kv, file);
    if (file && !block_name_is_local(file))
        return block_name_check(file, err);
    if (!file || place.refers) {
        rewriting_other_paths(r, kv);
        return true;
    }
    disk = rewriting_find_disk(qemu_of(r)->vm, file, &top);
    return disk ? move_drive(kv, &place, disk, top, err) : rewrite_medium(r, kv, &place, file);
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

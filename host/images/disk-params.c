/* The members of a disk's parameters. */
#include "host/images/disk-params.h"

#include "core/field-rows.h"

enum {
    MODE_MAX = 0777,
    FORMER_MODE = 0600 /* when it is not said */
};

/* UINT32_MAX would mean "nobody" to chown(2). */
#define ID_MAX (UINT32_MAX - 1)

#define FIELDS_OF struct disk_params
const struct field disk_fields[] = {
    TEXT(name, .is_valid = field_is_name),
    NUMBER(size),
    NUMBER(allocated),
    NUMBER(sector, OPTIONAL),
    NUMBER(written, OPTIONAL, .otherwise = DISK_WRITTEN_UNKNOWN),
    TEXT(source),
    TEXT(image),
    TEXT(format, OPTIONAL),
    MAP(options, OPTIONAL),
    TEXTS(bitmaps, OPTIONAL),
    FLAG(full, OPTIONAL),
    FLAG(unmaps, OPTIONAL),
    FLAG(skips_zeroes, OPTIONAL),
    FLAG(makes_volume, OPTIONAL),
    FLAG(overwrite, OPTIONAL),
    NUMBER(mode, OPTIONAL, .otherwise = FORMER_MODE, .max = MODE_MAX),
    NUMBER(uid, .max = ID_MAX),
    NUMBER(gid, .max = ID_MAX),
    TEXT(user, OPTIONAL),
    TEXT(group, OPTIONAL),
    TEXT(drive, OPTIONAL, .instead = ""),
    TEXT(qdev, OPTIONAL, .instead = ""),
    TEXT(node, OPTIONAL, .instead = ""),
    CHARS(device_identity, OPTIONAL),
    TEXT(proof, OPTIONAL),
    CHARS(nonce, OPTIONAL),
    FLAG(shared_by_word, OPTIONAL),
    { 0 },
};

static bool has_name(const struct disk_params *disks, size_t count, const char *name)
{
    while (count > 0 && strcmp(disks[count - 1].name, name) != 0)
        count--;
    return count > 0;
}

struct disk_params *disk_params_all(const cJSON *disks, size_t *count, struct error *err)
{
    AUTO_FREE struct disk_params *all =
        must(calloc((size_t)cJSON_GetArraySize(disks) + 1, sizeof(*all)));
    struct disk_params disk = { 0 };
    const cJSON *item;

    *count = 0;
    fields_each (item, disks, disk_fields, &disk) {
        if (has_name(all, *count, disk.name)) {
            error_set(err, ERROR_PROTOCOL, "two of the 'disks' are called '%s'", disk.name);
            *count = 0;
            return NULL;
        }
        all[(*count)++] = disk;
    }
    return steal(all);
}

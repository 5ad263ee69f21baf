/* A device model's options for files that it reads, and for disks. */
#include "host/xen/argv/rewriters.h"
#include "xmig/paths.h"

static void need(struct rewriting *r, const char *path)
{
    if (*path == '/')
        rewriting_list(r->result->needs, path);
}

bool xen_rewrite_input(struct rewriting *r, const char *value, struct error *err)
{
    need(r, value);
    return rewriting_keep(r, value, err);
}

static const cJSON *moved_disk(const struct xen_argv *vm, const char *path)
{
    AUTO_FREE char *real = path_real("/", path);
    const cJSON *disk;

    cJSON_ArrayForEach (disk, vm->disks) {
        AUTO_FREE char *source = path_real("/", json_string_or(disk, "source", ""));

        if (!strcmp(source, real))
            return disk;
    }
    return NULL;
}

static const cJSON *find_medium(const struct xen_argv *vm, const struct keyvals *kv)
{
    const char *id = keyvals_get(kv, "id");
    const cJSON *medium;

    cJSON_ArrayForEach (medium, vm->media)
        if (id && !strcmp(json_string_or(medium, "drive", ""), id))
            return medium;
    return NULL;
}

/* The medium that is in the drive now, which may not be the one of the start. */
static void set_medium(struct keyvals *kv, const cJSON *medium)
{
    const char *image = json_string_or(medium, "image", "");

    if (*image) {
        keyvals_set(kv, "file", image);
        keyvals_set(kv, "format", "raw");
        return;
    }
    keyvals_remove(kv, "file");
    keyvals_remove(kv, "format");
}

/* A writable disk that does not move would be lost: refused. A read-only image must be there. */
bool xen_rewrite_drive(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    const char *file = keyvals_get(kv, "file");
    const cJSON *disk = file ? moved_disk(xen_argv_of(r), file) : NULL;
    const cJSON *medium = find_medium(xen_argv_of(r), kv);

    if (medium)
        set_medium(kv, medium);
    else if (disk)
        keyvals_set(kv, "file", json_string_or(disk, "image", ""));
    else if (file && !keyvals_flag(kv, "readonly"))
        return rewriting_refuse(r, r->value, err);
    else if (file)
        need(r, file);
    return true;
}

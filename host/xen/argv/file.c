/* A device model's options for files that it reads, and for disks. */
#include "host/xen/argv/rewriters.h"
#include "host/xen/params.h"
#include "qmp/argv/block-driver.h"
#include "xmig/paths.h"

static void need(struct rewriting *r, const char *path)
{
    if (*path == '/')
        rewriting_list(r->result->needs, path);
}

bool xen_rewrite_inputs(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    (void)err;
    rewriting_path_key(r, kv, "file", rewriting_need);
    rewriting_path_key(r, kv, "path", rewriting_need);
    return true;
}

/* -trace events=/list,file=/trace; -audiodev wav,path=/sound */
bool xen_rewrite_outputs(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    (void)err;
    rewriting_path_key(r, kv, "events", rewriting_need);
    rewriting_path_key(r, kv, "file", rewriting_write);
    rewriting_path_key(r, kv, "path", rewriting_write);
    return true;
}

bool xen_rewrite_input(struct rewriting *r, const char *value, struct error *err)
{
    need(r, value);
    return rewriting_keep(r, value, err);
}

static bool find_disk(const struct xen_argv *vm, const char *path, struct disk_params *disk)
{
    AUTO_FREE char *real = vm->has_arrived ? must(strdup(path)) : path_real("/", path);
    const cJSON *item;

    fields_each (item, vm->disks, disk_fields, disk) {
        AUTO_FREE char *source =
            vm->has_arrived ? must(strdup(disk->image)) : path_real("/", disk->source);

        if (!strcmp(source, real))
            return true;
    }
    return false;
}

static bool find_medium(const struct xen_argv *vm, const struct keyvals *kv,
                        struct xen_medium *medium)
{
    const char *id = keyvals_get(kv, "id");
    const cJSON *item;

    fields_each (item, vm->media, xen_medium_fields, medium)
        if (id && !strcmp(medium->drive, id))
            return true;
    return false;
}

/* The medium that is in the drive now, which may not be the one of the start. */
static void set_medium(struct keyvals *kv, const char *image)
{
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
    struct xen_medium medium;
    struct disk_params disk;

    if (keyvals_flag(kv, "snapshot") || keyvals_get(kv, "filename") ||
        keyvals_get(kv, "file.filename"))
        return rewriting_refuse(r, r->value, err);
    if (!block_drivers_check(kv, err))
        return false;
    block_peers(r, kv, file);
    if (file && !block_name_is_local(file) && !block_name_check(file, err))
        return false;
    if (find_medium(xen_argv_of(r), kv, &medium))
        set_medium(kv, medium.image);
    else if (file && find_disk(xen_argv_of(r), file, &disk))
        keyvals_set(kv, "file", disk.image);
    else if (file && !keyvals_flag(kv, "readonly"))
        return rewriting_refuse(r, r->value, err);
    else if (file)
        need(r, file);
    return true;
}

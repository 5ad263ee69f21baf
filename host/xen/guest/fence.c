/* What keeps the old copy from being started again: its domain has another name, and so have its
 * images, or they are read-only.
 */
#include "host/images/image-fence.h"

#include "host/images/open-files.h"
#include "host/xen/xen.h"

static const char cure[] = "take its configuration out of /etc/xen/auto";

/* An image is what the device model has open; the kernel's backends show nothing. */
static bool check_open(struct open_files *files, const struct xen_disk *disk, struct error *err)
{
    const struct open_file *file = open_files_by_name(files, disk->path);

    if (file ? !file->deleted : disk->is_kernels)
        return true;
    return error_set(err, ERROR_REFUSED,
                     "disk '%s': '%s' is not the file that its device model has open: that was "
                     "renamed, replaced or deleted, and is not mistaken for another; give it its "
                     "name back",
                     disk->name, disk->path);
}

static bool check_all_open(const struct xen *vm, struct error *err)
{
    struct open_files files;
    bool ok = true;

    open_files_read(vm->source.pid, "/", &files);
    for (size_t i = 0; ok && i < vm->source.disk_count; i++)
        ok = check_open(&files, &vm->source.disks[i], err);
    open_files_done(&files);
    return ok;
}

bool xen_fence_describe(struct xen *vm, struct error *err)
{
    bool mirrors = vm->base.context.options.mirrors_disks;

    cJSON_Delete(vm->source.images);
    vm->source.images = must(cJSON_CreateArray());
    if (mirrors && !check_all_open(vm, err))
        return false;
    for (size_t i = 0; i < vm->source.disk_count; i++)
        if (!image_fence_add(vm->source.images, vm->source.disks[i].path, !mirrors, err))
            return error_prefix(err, "disk '%s'", vm->source.disks[i].name);
    return true;
}

void xen_fence_plan(const struct xen *vm, struct plan *plan)
{
    image_fence_plan(vm->source.images, cure, plan);
}

void xen_fence_tell(const struct xen *vm)
{
    image_fence_tell(vm->source.images, vm->base.context.id, cure, &vm->base.context.events);
}

bool xen_source_fence(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);
    AUTO_FREE char *name = xen_text("%s--migratedaway", vm->source.name);

    if (!image_fence_set(vm->source.images, host->context.id, true, err))
        return false;
    return domain_state(vm->xc, vm->domid, vm->uuid) == RUN_GONE || domain_rename(vm, name, err);
}

bool xen_source_unfence(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);

    if (!image_fence_set(vm->source.images, host->context.id, false, err))
        return false;
    return domain_state(vm->xc, vm->domid, vm->uuid) == RUN_GONE ||
           domain_rename(vm, vm->source.name, err);
}

/* Keep the old copy from being started again: rename its domain and its images, or make the images
 * read-only.
 */
#include "host/images/image-fence.h"
#include "host/images/open-files.h"
#include "host/xen/ground/domain.h"
#include "host/xen/guest/guest.h"
#include "xmig/text.h"

static const char cure[] = "take its configuration out of /etc/xen/auto";

/* The device model must have this very file open; for disks that the kernel serves nobody can tell.
 */
static bool check_open(struct open_files *files, const struct xen_disk *disk, struct error *err)
{
    const struct open_file *file = open_files_by_name(files, disk->params.source);

    if (file ? !file->deleted : disk->is_kernels)
        return true;
    return error_set(err, ERROR_REFUSED,
                     "disk '%s': '%s' is not the file that its device model has open: that was "
                     "renamed, replaced or deleted, and is not mistaken for another; give it its "
                     "name back",
                     disk->params.name, disk->params.source);
}

static bool check_all_open(const struct xen_guest *vm, struct error *err)
{
    struct open_files files;
    bool ok = true;

    open_files_read(vm->pid, "/", &files);
    for (size_t i = 0; ok && i < vm->disk_count; i++)
        ok = check_open(&files, &vm->disks[i], err);
    open_files_done(&files);
    return ok;
}

bool xen_fence_describe(struct xen_guest *vm, struct error *err)
{
    bool mirrors = vm->base.context.options.mirrors_disks;

    cJSON_Delete(vm->images);
    vm->images = must(cJSON_CreateArray());
    if (mirrors && !check_all_open(vm, err))
        return false;
    for (size_t i = 0; i < vm->disk_count; i++)
        if (!image_fence_add(vm->images, vm->disks[i].params.source, !mirrors, err))
            return error_prefix(err, "disk '%s'", vm->disks[i].params.name);
    return true;
}

void xen_fence_plan(const struct xen_guest *vm, struct plan *plan)
{
    image_fence_plan(vm->images, cure, plan);
}

void xen_fence_tell(const struct xen_guest *vm)
{
    image_fence_tell(vm->images, vm->base.context.id, cure, &vm->base.context.events);
}

bool xen_guest_fence(struct guest *guest, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);
    AUTO_FREE char *name = formatted("%s--migratedaway", vm->name);

    if (!image_fence_set(vm->images, guest->context.id, true, err))
        return false;
    return xen_state(&vm->xen) == RUN_GONE || domain_rename(&vm->xen, name, err);
}

bool xen_guest_unfence(struct guest *guest, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);

    if (!image_fence_set(vm->images, guest->context.id, false, err))
        return false;
    return xen_state(&vm->xen) == RUN_GONE || domain_rename(&vm->xen, vm->name, err);
}

/* Is there another domain of the guest's name or UUID, or another writer to its images? */
#include <stdio.h>
#include <sys/stat.h>

#include "host/images/image-fence.h"
#include "host/xen/ground/domain.h"
#include "host/xen/ground/vbd.h"
#include "host/xen/guest/guest.h"
#include "xmig/process.h"

enum {
    MAKING_MS = 3000,
    POLL_MS = 50
};

struct looking {
    const struct xen_guest *vm;
    struct error *err;
    bool found;
};

static void look_at(void *arg, const struct image_user *other)
{
    struct looking *looking = arg;
    const cJSON *fact = cJSON_GetArrayItem(looking->vm->images, (int)other->image);

    if (looking->found)
        return;
    looking->found = true;
    error_set(looking->err, ERROR_REFUSED,
              "%s of the source host has '%s', a disk of the domain '%s' (%u), open for writing; "
              "its own device model is process %d",
              other->who, json_string_or(fact, "path", "?"), looking->vm->name,
              looking->vm->xen.domid, (int)looking->vm->pid);
}

/* A domain that is gone has no known disks: then the kernel may have served one. */
static bool kernel_may_serve(const struct xen_guest *vm)
{
    bool may = vm->disk_count == 0;

    for (size_t i = 0; i < vm->disk_count; i++)
        may = may || vm->disks[i].is_kernels;
    return may;
}

/* Does the kernel serve one of its devices to another domain? */
static bool check_kernel(const struct xen_guest *vm, struct error *err)
{
    for (size_t i = 0; i < vm->disk_count; i++) {
        const char *path = vm->disks[i].params.source;
        uint32_t domid;
        struct stat st;

        if (path && stat(path, &st) == 0 && S_ISBLK(st.st_mode) &&
            vbd_has_other(VBD_DEVICES, st.st_rdev, vm->xen.domid, &domid))
            return error_set(err, ERROR_REFUSED,
                             "domain %u of the source host has '%s', a disk of the domain '%s' "
                             "(%u), too: the kernel serves it",
                             domid, path, vm->name, vm->xen.domid);
    }
    return true;
}

/* Shared images are not checked: they may have other users, on any host, which is up to their
 * owner.
 */
bool xen_images_are_ours(const struct xen_guest *vm, struct error *err)
{
    struct looking looking = { .vm = vm, .err = err };
    struct image_users_search search = {
        .own = process_lives(vm->pid, vm->start_time) ? vm->pid : 0,
        .id = vm->base.context.id,
        .leaves_kernel_out = kernel_may_serve(vm),
    };
    AUTO_FREE struct image_identity *images =
        image_fence_identities(vm->images, search.id, &search.image_count);

    if (!vm->base.context.options.mirrors_disks)
        return true;
    if (!check_kernel(vm, err))
        return false;
    search.images = images;
    image_users_each(&search, look_at, &looking);
    return !looking.found;
}

/* A domain that is just being made fails without its images: give it a moment to go away. */
static bool find_copy(const struct xen_guest *vm, uint32_t *domid)
{
    uint64_t begin = loop_now_ms();
    xc_domaininfo_t info;

    while (domain_find_namesake(&vm->xen, vm->name, domid)) {
        if ((domain_info(vm->xen.xc, *domid, &info) && info.cpu_time > 0) ||
            loop_now_ms() - begin >= MAKING_MS || !loop_pause(vm->base.context.loop, POLL_MS, NULL))
            return true;
    }
    return false;
}

/* A copy made on this same host does not count: it has a name and a UUID of its own. */
bool xen_nobody_else(struct guest *guest, struct error *err)
{
    const struct xen_guest *vm = xen_guest_of(guest);
    uint32_t domid;

    if (find_copy(vm, &domid))
        return error_set(
            err, ERROR_REFUSED,
            "a second domain of the name or UUID of '%s' is on the source host (domain "
            "%u); the VM's own is domain %u",
            vm->name, domid, vm->xen.domid);
    return xen_images_are_ours(vm, err);
}

bool xen_guest_runs_again(struct guest *guest, char *who, size_t size)
{
    struct xen_guest *vm = xen_guest_of(guest);
    uint32_t domid;

    if (!domain_find_namesake(&vm->xen, vm->name, &domid) ||
        domain_state(vm->xen.xc, domid, NULL) != RUN_RUNNING)
        return false;
    snprintf(who, size, "domain %u", domid);
    return true;
}

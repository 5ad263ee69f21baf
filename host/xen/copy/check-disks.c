/* Can the disks be made here, and are the media here? */
#include <sys/stat.h>

#include "host/images/disk-device.h"
#include "host/images/free-space.h"
#include "host/images/shared-images.h"
#include "host/xen/copy/copy.h"
#include "host/xen/ground/disk-nodes.h"
#include "host/xen/ground/vbd.h"

static bool is_same_device(const char *path, dev_t device)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == device;
}

/* Is it a disk that a device model serves to another domain? */
static bool has_qdisk(struct xen_copy *vm, dev_t device, uint32_t *domid)
{
    AUTO_JSON cJSON *domains = store_list(vm->xen.xs, "/local/domain/0/backend/qdisk");
    const cJSON *domain, *id;

    cJSON_ArrayForEach (domain, domains) {
        AUTO_JSON cJSON *ids =
            store_list(vm->xen.xs, "/local/domain/0/backend/qdisk/%s", domain->valuestring);

        cJSON_ArrayForEach (id, ids) {
            AUTO_FREE char *params =
                store_read(vm->xen.xs, "/local/domain/0/backend/qdisk/%s/%s/params",
                           domain->valuestring, id->valuestring);

            *domid = (uint32_t)strtoul(domain->valuestring, NULL, 10);
            if (params && is_same_device(disk_node_path(params), device))
                return true;
        }
    }
    return false;
}

/* Refuse a block device that is a disk of a domain here, even if it can be opened, and whatever it
 * is called there.
 */
static bool check_device_free(struct xen_copy *vm, const char *image, struct error *err)
{
    uint32_t domid;
    struct stat st;

    if (stat(image, &st) < 0)
        return true; /* which is another check's */
    return (!vbd_has_other(VBD_DEVICES, st.st_rdev, vm->xen.domid, &domid) &&
            !has_qdisk(vm, st.st_rdev, &domid)) ||
           error_set(err, ERROR_REFUSED, "'%s' is a disk of domain %u at the target", image, domid);
}

/* A guest whose disks the kernel serves has no device model that could serve one. */
static bool has_server(const struct xen_copy *vm, const char *name, const char *image,
                       struct error *err)
{
    return vm->xen.has_model || vbd_is_kernels(vm, name) ||
           error_set(err, ERROR_REFUSED,
                     "at the target it would be '%s', which only a device model could serve, and "
                     "the guest has none: name a block device with --disk %s=PATH",
                     image, name);
}

static bool check_disk(struct xen_copy *vm, struct disk_params *disk, struct error *err)
{
    if (!has_server(vm, disk->name, disk->image, err))
        return false;
    if (!vm->base.context.options.mirrors_disks)
        return shared_prove(disk, err);
    if ((disk_device_is(disk->image) && !check_device_free(vm, disk->image, err)) ||
        !disk_images_check(&vm->images, disk, err) ||
        (vbd_is_kernels(vm, disk->name) && !volume_export_check(err)))
        return false;
    disk_images_settle(&vm->images, disk);
    return true;
}

bool xen_check_disks(struct xen_copy *vm, struct error *err)
{
    struct disk_params *disks = vm->images.disks;
    int refused = error_aside(err);
    bool mirrors = vm->base.context.options.mirrors_disks;

    for (size_t i = 0; i < vm->images.disk_count; i++)
        if (!error_goes_on(err, check_disk(vm, &disks[i], err) ||
                                    error_prefix(err, "disk '%s'", disks[i].name)))
            return false;
    return !mirrors || error_aside(err) > refused || room_check(&vm->images, vm->notes, err);
}

bool xen_check_media(struct xen_copy *vm, struct error *err)
{
    struct xen_medium medium;
    const cJSON *item;

    fields_each (item, vm->params.xen.media, xen_medium_fields, &medium) {
        if (*medium.image && !has_server(vm, medium.name, medium.image, err))
            return error_prefix(err, "'%s'", medium.name);
        if (*medium.image && access(medium.image, R_OK) < 0)
            return error_set(
                err, ERROR_REFUSED,
                "'%s' of the guest holds '%s', which is not at the target: %m; put it there, "
                "name its place with --disk %s=PATH, or take it out with --eject %s",
                medium.name, medium.image, medium.name, medium.name);
    }
    return true;
}

/* Can the disks be made here, and are the media here? */
#include "host/images/disk-device.h"
#include "host/images/free-space.h"
#include "host/images/shared-images.h"
#include "host/xen/copy/copy.h"
#include "host/xen/ground/disk-nodes.h"
#include "xmig/paths.h"

/* Refuse a block device that is a disk of a domain here, even if it can be opened. */
static bool check_device_free(struct xen_copy *vm, const char *image, struct error *err)
{
    static const char *const backends[] = { "vbd", "qdisk" };
    AUTO_FREE char *real = path_real("/", image);
    const cJSON *domain, *id;

    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
        AUTO_JSON cJSON *domains =
            store_list(vm->xen.xs, "/local/domain/0/backend/%s", backends[i]);

        cJSON_ArrayForEach (domain, domains) {
            AUTO_JSON cJSON *ids = store_list(vm->xen.xs, "/local/domain/0/backend/%s/%s",
                                              backends[i], domain->valuestring);

            cJSON_ArrayForEach (id, ids) {
                AUTO_FREE char *params =
                    store_read(vm->xen.xs, "/local/domain/0/backend/%s/%s/%s/params", backends[i],
                               domain->valuestring, id->valuestring);
                AUTO_FREE char *other = path_real("/", params ? disk_node_path(params) : "");

                if (!strcmp(real, other))
                    return error_set(err, ERROR_REFUSED,
                                     "'%s' is a disk of domain %s at the target", image,
                                     domain->valuestring);
            }
        }
    }
    return true;
}

/* A PVH guest whose disks the kernel serves has no device model that could serve one. */
static bool has_server(const struct xen_copy *vm, const struct disk_params *disk, struct error *err)
{
    return vm->xen.has_model ||
           error_set(err, ERROR_REFUSED,
                     "at the target it would be '%s', which only a device model could serve, and "
                     "the guest has none: name a block device with --disk %s=PATH",
                     disk->image, disk->name);
}

static bool check_disk(struct xen_copy *vm, struct disk_params *disk, struct error *err)
{
    if (!vm->base.context.options.mirrors_disks)
        return shared_prove(disk, err);
    if ((disk_device_is(disk->image) && !check_device_free(vm, disk->image, err)) ||
        !disk_images_check(&vm->images, disk, err) ||
        (disk_is_kernels_here(vm, disk) ? !volume_export_check(err) : !has_server(vm, disk, err)))
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

    fields_each (item, vm->params.xen.media, xen_medium_fields, &medium)
        if (*medium.image && access(medium.image, R_OK) < 0)
            return error_set(
                err, ERROR_REFUSED,
                "'%s' of the guest holds '%s', which is not at the target: %m; put it there, "
                "name its place with --disk %s=PATH, or take it out with --eject %s",
                medium.name, medium.image, medium.name, medium.name);
    return true;
}

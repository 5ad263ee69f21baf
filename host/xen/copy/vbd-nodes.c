/* Who serves a disk or a medium here, dom0's kernel or the device model, and what its nodes say of
 * that: as libxl writes them.
 */
#include "host/xen/copy/copy.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host/images/disk-device.h"
#include "xmig/text.h"

/* ---- where it is ---- */

static const char *name_of(const struct xen_device *device)
{
    return json_string_or(device->backend_keys, "dev", "");
}

const char *vbd_image(const struct xen_copy *vm, const struct xen_device *device)
{
    const struct disk_params *disk = disk_images_find(&vm->images, name_of(device));
    struct xen_medium medium;

    if (disk)
        return disk->image;
    return media_find(vm->params.xen.media, name_of(device), &medium) ? medium.image : "";
}

/* The kernel serves what it served at the source, if that is a block device here, too. */
const char *vbd_backend(const struct xen_copy *vm, const struct xen_device *device)
{
    if (strcmp(device->kind, "vbd") != 0)
        return device->backend;
    return !strcmp(device->backend, "vbd") && disk_device_is(vbd_image(vm, device)) ? "vbd"
                                                                                    : "qdisk";
}

bool vbd_is_kernels(const struct xen_copy *vm, const char *name)
{
    struct xen_device device;
    const cJSON *item;

    fields_each (item, vm->params.xen.devices, xen_device_fields, &device)
        if (!strcmp(device.kind, "vbd") && !strcmp(name_of(&device), name))
            return !strcmp(vbd_backend(vm, &device), "vbd");
    return false;
}

dev_t vbd_number(const struct xen_copy *vm, const struct xen_device *device)
{
    struct stat st;

    return stat(vbd_image(vm, device), &st) == 0 && S_ISBLK(st.st_mode) ? st.st_rdev : 0;
}

/* ---- what its nodes say ---- */

static void replace(cJSON *keys, const char *name, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(keys, name);
    if (value)
        cJSON_AddStringToObject(keys, name, value);
}

/* libxl's script for block devices would change nothing then. */
static void set_kernels(const struct xen_copy *vm, const struct xen_device *device, cJSON *keys)
{
    dev_t number = vbd_number(vm, device);
    AUTO_FREE char *numbers = formatted("%x:%x", major(number), minor(number));
    const char *image = vbd_image(vm, device);

    replace(keys, "params", image);
    replace(keys, "type", "phy");
    replace(keys, "script", "/etc/xen/scripts/block");
    replace(keys, "physical-device", numbers);
    replace(keys, "physical-device-path", image);
    replace(keys, "hotplug-status", "connected");
}

/* For an empty drive libxl writes "aio:" when it makes the drive and "" when it empties it. Write
 * "aio:": QEMU 7.2 exits when a device with "" appears.
 */
static void set_qdisk(const struct xen_copy *vm, const struct xen_device *device, cJSON *keys)
{
    const struct disk_params *disk = disk_images_find(&vm->images, name_of(device));
    bool is_raw = !disk || !disk->format || !strcmp(disk->format, "raw");
    AUTO_FREE char *params =
        formatted("%s:%s", is_raw ? "aio" : disk->format, vbd_image(vm, device));

    replace(keys, "params", params);
    replace(keys, "type", "qdisk");
    replace(keys, "script", NULL);
}

/* A medium of the device model's that is the same as at the source, and as libxl has noted it. */
static bool is_as_it_was(const struct xen_copy *vm, const struct xen_device *device)
{
    struct xen_medium medium;

    return media_find(vm->params.xen.media, name_of(device), &medium) && *medium.image &&
           !strcmp(medium.image, medium.source) && !strcmp(device->backend, "qdisk");
}

void vbd_write_keys(const struct xen_copy *vm, const struct xen_device *device, cJSON *keys)
{
    static const char *const of_the_source[] = { "hotplug-status", "physical-device",
                                                 "physical-device-path" };

    for (size_t i = 0; i < sizeof(of_the_source) / sizeof(of_the_source[0]); i++)
        replace(keys, of_the_source[i], NULL);
    if (!strcmp(vbd_backend(vm, device), "vbd"))
        set_kernels(vm, device, keys);
    else if (!is_as_it_was(vm, device))
        set_qdisk(vm, device, keys);
}

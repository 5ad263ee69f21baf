/* Does the guest use a disk as the emulated device, or through a PV driver; and who serves that? */
#include "host/xen/guest/guest.h"
#include "xmig/paths.h"

static const cJSON *image_of(const cJSON *block)
{
    return json_get(json_get(block, "inserted"), "image");
}

static bool opens(const cJSON *block, const char *path)
{
    const cJSON *inserted = json_get(block, "inserted");
    AUTO_FREE char *real = path_real("/", path);
    AUTO_FREE char *other = path_real("/", json_string_or(image_of(block), "filename", ""));

    return inserted && !strcmp(real, other);
}

/* QEMU may have a disk twice: the emulated one has a drive's name, the one for PV drivers is a node
 * named after the guest's disk.
 */
static const cJSON *find_block(const cJSON *blocks, const char *path, bool emulated,
                               const char *name)
{
    const cJSON *block;

    cJSON_ArrayForEach (block, blocks) {
        bool has_drive = *json_string_or(block, "device", "");
        const char *node = json_string_or(json_get(block, "inserted"), "node-name", "");
        size_t len = strlen(name);

        if (!opens(block, path) || has_drive != emulated)
            continue;
        if (emulated || (!strncmp(node, name, len) && node[len] == '-'))
            return block;
    }
    return NULL;
}

/* Only one of the two is mirrored, and a mirror sees only the writes to its own block device. A
 * disk without an emulated twin is written to through its PV backend alone, connected or not.
 */
bool disk_find_way(struct xen_disk *disk, const cJSON *blocks, bool connected, const cJSON **block,
                   struct error *err)
{
    const cJSON *emulated = find_block(blocks, disk->params.source, true, disk->params.name);
    const cJSON *pv = find_block(blocks, disk->params.source, false, disk->params.name);

    if (connected && emulated)
        return error_set(err, ERROR_REFUSED,
                         "the guest uses it with a PV driver, and has not unplugged the emulated "
                         "disk: writes could come either way");
    *block = emulated ? emulated : pv;
    disk->is_emulated = emulated != NULL;
    disk->is_tracked = disk->is_kernels && !emulated;
    return *block || disk->is_tracked ||
           error_set(err, ERROR_REFUSED, "the device model does not have it open");
}

const char *disk_device_name(const struct xen_disk *disk, const cJSON *block)
{
    if (disk->is_tracked)
        return "";
    return disk->is_emulated ? json_string_or(block, "device", "")
                             : json_string_or(json_get(block, "inserted"), "node-name", "");
}

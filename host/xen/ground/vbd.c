/* Each disk is a directory "vbd-DOMID-ID", whose file physical_device has the numbers, once the
 * device is open.
 */
#include "host/xen/ground/vbd.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "xmig/bytes.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

static bool read_device(const char *path, dev_t *device)
{
    unsigned most, least;
    char line[32];

    if (sscanf(bytes_read_line(AT_FDCWD, path, line, sizeof(line)), "%x:%x", &most, &least) != 2)
        return false;
    *device = makedev(most, least);
    return *device != 0;
}

bool vbd_device(const char *devices, uint32_t domid, const char *id, dev_t *device)
{
    AUTO_FREE char *path = formatted("%s/vbd-%u-%s/physical_device", devices, domid, id);

    return read_device(path, device);
}

bool vbd_has_other(const char *devices, dev_t device, uint32_t but, uint32_t *domid)
{
    AUTO_FREE char *pattern = formatted("%s/vbd-*-*/physical_device", devices);
    glob_t found = { 0 };
    bool has = false;

    glob(pattern, 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc && !has; i++) {
        dev_t other;

        has = sscanf(found.gl_pathv[i] + strlen(devices), "/vbd-%u-", domid) == 1 &&
              *domid != but && read_device(found.gl_pathv[i], &other) && other == device;
    }
    globfree(&found);
    return has;
}

bool vbd_is_at(const char *devices, uint32_t domid, const char *id, const char *path,
               struct error *err)
{
    dev_t device = 0;
    struct stat st;

    if (stat(path, &st) < 0)
        return error_set(err, ERROR_REFUSED, "cannot look at '%s': %m", path);
    if (!vbd_device(devices, domid, id, &device))
        return error_set(err, ERROR_REFUSED, "the kernel has no device open for it");
    return (S_ISBLK(st.st_mode) && st.st_rdev == device) ||
           error_set(err, ERROR_REFUSED,
                     "the kernel serves the guest the device %u:%u, and '%s' is another one by "
                     "now: give the volume its name back",
                     major(device), minor(device), path);
}

/* Is this machine the control domain of a Xen host? /proc/xen may not be mounted; the device is
 * there on every one.
 */
#include "host/system/xen-host.h"

#include <stdio.h>

#include "xmig/cleanup.h"

bool xen_host_check(struct error *err)
{
    AUTO_FREE char *type = NULL;
    size_t size = 0;
    FILE *file = fopen("/sys/hypervisor/type", "re");
    bool on_xen = file && getline(&type, &size, file) > 0 && !strncmp(type, "xen", 3);

    if (file)
        fclose(file);
    if (!on_xen)
        return error_set(err, ERROR_REFUSED, "this machine is not a Xen host");
    if (access("/dev/xen/privcmd", R_OK | W_OK) < 0)
        return error_set(err, ERROR_REFUSED, "this Xen host cannot be used: /dev/xen/privcmd: %m");
    return true;
}

/* What the guest has its network cards and their taps do: can this kernel? */
#include <stdio.h>
#include <sys/utsname.h>

#include "host/qemu/copy/copy.h"

/* A kernel whose number cannot be read may be able to. */
static bool is_before(const char *release, unsigned major, unsigned minor)
{
    unsigned here[2];

    return sscanf(release, "%u.%u", &here[0], &here[1]) == 2 &&
           (here[0] < major || (here[0] == major && here[1] < minor));
}

struct offload {
    const cJSON *names; /* of taps and cards */
    const char *does;
    unsigned major, minor; /* Linux has it since */
    const char *off;
};

static bool check(const struct offload *offload, const char *release, struct error *err)
{
    const cJSON *name;

    if (!is_before(release, offload->major, offload->minor))
        return true;
    cJSON_ArrayForEach (name, offload->names)
        if (!error_goes_on(
                err, error_set(err, ERROR_REFUSED,
                               "the guest has its network card or tap '%s' %s, which Linux can "
                               "from %u.%u on, and the target runs %s: boot a newer kernel there, "
                               "or restart the VM "
                               "with %s for the network card",
                               name->valuestring, offload->does, offload->major, offload->minor,
                               release, offload->off)))
            return false;
    return true;
}

bool offloads_check_for(const struct qemu_machine *qemu, const char *release, struct error *err)
{
    const struct offload uso = { qemu->uso, "segment UDP (USO)", 6, 2,
                                 "host_uso=off,guest_uso4=off,guest_uso6=off" };
    const struct offload tunnels = { qemu->tunnels, "segment what is in UDP tunnels", 6, 17,
                                     "host_tunnel=off,guest_tunnel=off" };

    return check(&uso, release, err) && check(&tunnels, release, err);
}

bool offloads_check(const struct qemu_copy *vm, struct error *err)
{
    struct utsname kernel;

    return uname(&kernel) < 0 || offloads_check_for(&vm->params.qemu, kernel.release, err);
}

/* What the guest's network cards have their taps do: can this kernel? */
#include <stdio.h>
#include <sys/utsname.h>

#include "host/qemu/copy/copy.h"

/* A kernel whose number cannot be read may be able to. */
static bool knows_uso(const char *release)
{
    unsigned major, minor;

    return sscanf(release, "%u.%u", &major, &minor) != 2 || major > 6 || (major == 6 && minor >= 2);
}

bool offloads_check_for(const cJSON *cards, const char *release, struct error *err)
{
    const cJSON *card;

    if (knows_uso(release))
        return true;
    cJSON_ArrayForEach (card, cards)
        if (!error_goes_on(
                err, error_set(err, ERROR_REFUSED,
                               "the guest has the tap of its network card '%s' segment UDP (USO), "
                               "which Linux can from 6.2 on, and the target runs %s: boot a newer "
                               "kernel there, or restart the VM with "
                               "host_uso=off,guest_uso4=off,guest_uso6=off for the card",
                               card->valuestring, release)))
            return false;
    return true;
}

bool offloads_check(const struct qemu_copy *vm, struct error *err)
{
    struct utsname kernel;

    return uname(&kernel) < 0 || offloads_check_for(vm->params.qemu.uso, kernel.release, err);
}

/* What the guest has its taps do, as far as not every kernel can: a target that cannot would say so
 * only when all disks have been copied. The taps tell it, because a QEMU before 8.2 cannot,
 * and 11.1 ends when it is asked (x-query-virtio-status).
 */
#include "host/qemu/guest/machine.h"
#include "host/system/tap.h"

cJSON *offloads_read(pid_t pid, enum tap_offload what)
{
    cJSON *taps = must(cJSON_CreateArray());
    AUTO_JSON cJSON *names = tap_shares_network(pid) ? tap_names(pid) : NULL;
    const cJSON *name;

    cJSON_ArrayForEach (name, names)
        if (tap_offloads(name->valuestring, what))
            cJSON_AddItemToArray(taps, must(cJSON_CreateString(name->valuestring)));
    return taps;
}

/* Where the VM's devices are plugged in. One that was taken out and put in again has the same id,
 * and maybe another slot than the line gives it: its state would find no device at the target.
 */
#include <stdio.h>

#include "host/qemu/guest/machine.h"

/* The slots of the first bus: the buses behind a bridge are empty until the guest numbers them. */
cJSON *pci_slots(struct qemu *vm, struct error *err)
{
    AUTO_JSON cJSON *buses = NULL;
    cJSON *slots;
    const cJSON *device;

    if (!qmp_call(vm->q, "query-pci", NULL, &buses, err))
        return NULL;
    slots = must(cJSON_CreateObject());
    cJSON_ArrayForEach (device,
                        cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(buses, 0), "devices")) {
        const char *id = json_string_or(device, "qdev_id", "");
        char slot[32];

        snprintf(slot, sizeof(slot), "%u.%u", (unsigned)json_uint_or(device, "slot", 0),
                 (unsigned)json_uint_or(device, "function", 0));
        if (*id)
            cJSON_AddStringToObject(slots, id, slot);
    }
    return slots;
}

bool pci_check(struct qemu *vm, const cJSON *there, struct error *err)
{
    AUTO_JSON cJSON *here = pci_slots(vm, err);
    const cJSON *slot;

    if (!here)
        return false;
    cJSON_ArrayForEach (slot, there) {
        const char *mine = json_string_or(here, slot->string, NULL);

        if (mine && strcmp(mine, slot->valuestring) != 0)
            return error_set(err, ERROR_SYSTEM,
                             "the device '%s' is in the PCI slot %s at the source, and the command "
                             "line puts it into %s: it was plugged in anew; do that with addr=%s",
                             slot->string, slot->valuestring, mine, mine);
    }
    return true;
}

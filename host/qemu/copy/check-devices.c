/* Devices of which QEMU here cannot load the state: those of a newer one, which moves them. */
#include "host/qemu/copy/copy.h"
#include "qmp/argv/keyvals.h"

struct movable_device {
    const char *driver;
    unsigned since; /* earlier versions have the device, and do not move it */
};

static const struct movable_device movable_devices[] = {
    { "nvme", QEMU_VERSION(11, 1) },
};

static bool check_device(const struct qemu_copy *vm, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *driver =
        keyvals_parse(value, &kv, NULL) ? keyvals_get_implied(&kv, "driver") : NULL;

    for (size_t i = 0; driver && i < sizeof(movable_devices) / sizeof(movable_devices[0]); i++) {
        const struct movable_device *device = &movable_devices[i];

        if (!strcmp(driver, device->driver) && vm->images.qemu < device->since)
            return error_set(err, ERROR_REFUSED,
                             "the VM has the device '%s', which QEMU moves from %u.%u on, and the "
                             "target has %u.%u: upgrade it there, or take another device",
                             driver, device->since / 100, device->since % 100,
                             vm->images.qemu / 100, vm->images.qemu % 100);
    }
    return true;
}

bool devices_check(const struct qemu_copy *vm, struct error *err)
{
    struct option_step step = { .rest = vm->params.qemu.words->child };

    while (vm->images.qemu && option_next(&qemu_options, &step, NULL))
        if (step.value && !strcmp(step.name, "device") &&
            !error_goes_on(err, check_device(vm, step.value, err)))
            return false;
    return true;
}

/* A device that no table has: QEMU itself says so, once it has made the machine. */
bool devices_can_arrive(struct qemu_copy *vm, struct error *err)
{
    AUTO_JSON cJSON *migration = qmp_query_migrate(vm->qemu.q, err);
    const cJSON *reasons = json_get(migration, "blocked-reasons");

    if (!migration)
        return false;
    if (!reasons || !cJSON_IsString(reasons->child))
        return true;
    return error_set(err, ERROR_SYSTEM, "QEMU at the target cannot take this VM: %s",
                     reasons->child->valuestring);
}

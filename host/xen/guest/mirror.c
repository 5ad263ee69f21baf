/* Mirror the guest's disks to the target. */
#include "host/images/disk-device.h"
#include "host/xen/ground/domain.h"
#include "host/xen/guest/guest.h"
#include "qmp/mirror.h"

enum {
    DRAIN_MS = 120000
};

static const struct xen_disk *find_disk(const struct xen_guest *vm, const char *name)
{
    for (size_t i = 0; i < vm->disk_count; i++)
        if (!strcmp(vm->disks[i].params.name, name))
            return &vm->disks[i];
    return NULL;
}

static bool start_mirror(struct guest *guest, const char *disk, const char *path, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);
    const struct xen_disk *source = find_disk(vm, disk);
    struct qmp_mirror mirror = { .id = guest->context.id, .disk = disk, .socket = path };

    if (!source)
        return error_set(err, ERROR_PROTOCOL, "there is no disk '%s'", disk);
    mirror.device = source->device;
    mirror.size = source->params.size;
    mirror.target_is_zero = !disk_device_is(source->params.image);
    return qmp_mirror_start(vm->xen.q, &mirror, err);
}

/* A guest that has rebooted has a new domain; one that was turned off has none. */
static bool check_domain(struct xen_guest *vm, struct error *err)
{
    xc_domaininfo_t info;
    unsigned reason;

    if (xen_state(&vm->xen) == RUN_GONE || !domain_info(vm->xen.xc, vm->xen.domid, &info))
        return error_set(err, ERROR_SYSTEM, "the guest has been rebooted or turned off");
    if (domain_is_shut_down(&info, &reason) && reason != SHUTDOWN_suspend)
        return error_set(err, ERROR_SYSTEM, "the guest has shut itself down (reason %u)", reason);
    return vm->paused_ms || xen_check_runs(vm, err);
}

/* A guest that ends takes its device model with it: report the end, not the broken mirror. Always
 * false.
 */
static bool explain(struct xen_guest *vm, struct error *err)
{
    struct error why = { 0 };

    if (!check_domain(vm, &why))
        *err = why;
    return false;
}

static bool look_at_mirror(struct guest *guest, const char *disk, struct mirror_state *state,
                           struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);
    struct qmp_mirror_state mirror;

    if (!check_domain(vm, err))
        return false;
    if (!qmp_mirror_state(vm->xen.q, guest->context.id, disk, &mirror, err))
        return explain(vm, err);
    *state = (struct mirror_state){ mirror.ready, mirror.done, mirror.total, mirror.zeroed };
    return true;
}

static bool await_mirror(struct guest *guest, uint64_t timeout_ms, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);

    return qmp_mirror_wait(vm->xen.q, &vm->heard, timeout_ms, err) || explain(vm, err);
}

static void stop_mirror(struct guest *guest, const char *disk)
{
    struct xen_guest *vm = xen_guest_of(guest);
    struct error err = { 0 };

    if (!xen_connect(&vm->xen, QMP_CONNECT_MS, &err) ||
        !qmp_mirror_stop(vm->xen.q, guest->context.id, disk, &err))
        event_say(&guest->context.events, EVENT_WARNING, NULL, "%s", err.text);
}

const struct mirror_ops xen_mirrors = {
    .start = start_mirror,
    .state = look_at_mirror,
    .wait = await_mirror,
    .stop = stop_mirror,
};

/* ---- all of them ---- */

/* The caller frees the array. */
static const char **names_of_mirrored(const struct xen_guest *vm, size_t *count)
{
    const char **names;

    *count = vm->base.context.options.mirrors_disks ? vm->disk_count : 0;
    names = must(calloc(*count + 1, sizeof(*names)));
    for (size_t i = 0; i < *count; i++)
        names[i] = vm->disks[i].params.name;
    return names;
}

bool xen_mirrors_debt(struct xen_guest *vm, uint64_t *bytes, struct error *err)
{
    size_t count;
    AUTO_FREE const char **names = names_of_mirrored(vm, &count);

    *bytes = 0;
    if (!check_domain(vm, err))
        return false;
    return count == 0 ||
           qmp_mirrors_debt(vm->xen.q, vm->base.context.id, names, count, bytes, err) ||
           explain(vm, err);
}

bool xen_mirrors_drain(struct xen_guest *vm, struct error *err)
{
    size_t count;
    AUTO_FREE const char **names = names_of_mirrored(vm, &count);

    return count == 0 ||
           qmp_mirrors_drain(vm->xen.q, vm->base.context.id, names, count, DRAIN_MS, err);
}

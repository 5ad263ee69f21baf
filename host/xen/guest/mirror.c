/* Mirror the guest's disks to the target: QEMU mirrors what it serves, and xmig copies what dom0's
 * kernel serves.
 */
#include "host/disk-copy/tracked-copy.h"
#include "host/images/disk-device.h"
#include "host/kernel-disks/leftovers.h"
#include "host/xen/ground/domain.h"
#include "host/xen/ground/vbd.h"
#include "host/xen/guest/guest.h"
#include "qmp/mirror.h"

enum {
    DRAIN_MS = 120000
};

/* NULL, after an error: there is none. */
static struct xen_disk *find_disk(const struct xen_guest *vm, const char *name, struct error *err)
{
    for (size_t i = 0; i < vm->disk_count; i++)
        if (!strcmp(vm->disks[i].params.name, name))
            return &vm->disks[i];
    error_set(err, ERROR_PROTOCOL, "there is no disk '%s'", name);
    return NULL;
}

/* ---- one of them ---- */

/* Does the kernel still serve the guest the device that the disk's name leads to? Asked before and
 * after the name is used, and when all is copied.
 */
static bool is_the_kernels(const struct xen_guest *vm, const struct xen_disk *disk,
                           struct error *err)
{
    if (vbd_is_at(VBD_DEVICES, vm->xen.domid, disk->id, disk->params.source, err))
        return true;
    err->kind = ERROR_SYSTEM;
    return false;
}

static bool start_copy(struct xen_guest *vm, struct xen_disk *disk, const char *path,
                       struct error *err)
{
    struct tracked_disk tracked = { .id = vm->base.context.id,
                                    .name = disk->params.name,
                                    .path = disk->params.source,
                                    .socket = path,
                                    .size = disk->params.size,
                                    .target_is_zero = !disk_device_is(disk->params.image) };

    if (!is_the_kernels(vm, disk, err))
        return false;
    disk->copy = tracked_copy_start(vm->base.context.loop, &tracked, err);
    return disk->copy && is_the_kernels(vm, disk, err);
}

static bool start_mirror(struct guest *guest, const char *disk, const char *path, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);
    struct qmp_mirror mirror = { .id = guest->context.id, .disk = disk, .socket = path };
    struct xen_disk *source = find_disk(vm, disk, err);

    if (!source)
        return false;
    if (source->is_tracked)
        return start_copy(vm, source, path, err);
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

static bool look_at_copy(struct tracked_copy *copy, struct mirror_state *mirror, struct error *err)
{
    struct tracked_state state;

    if (!tracked_copy_go_on(copy, err))
        return false;
    state = tracked_copy_state(copy);
    *mirror = (struct mirror_state){ state.ready, state.done, state.total, 0 };
    return true;
}

static bool look_at_mirror(struct guest *guest, const char *disk, struct mirror_state *state,
                           struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);
    const struct xen_disk *source = find_disk(vm, disk, err);
    struct qmp_mirror_state mirror;

    if (!source || !check_domain(vm, err))
        return false;
    if (source->is_tracked)
        return look_at_copy(source->copy, state, err) || explain(vm, err);
    if (!qmp_mirror_state(vm->xen.q, guest->context.id, disk, &mirror, err))
        return explain(vm, err);
    *state = (struct mirror_state){ mirror.ready, mirror.done, mirror.total, mirror.zeroed };
    return true;
}

static bool await_mirror(struct guest *guest, uint64_t timeout_ms, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);

    if (!vm->xen.has_model)
        return loop_pause(guest->context.loop, timeout_ms, err);
    return qmp_mirror_wait(vm->xen.q, &vm->heard, timeout_ms, err) || explain(vm, err);
}

static void end_copy(struct xen_guest *vm, struct xen_disk *disk)
{
    struct error err = { 0 };

    if (!tracked_copy_free(steal(disk->copy), &err))
        event_say(&vm->base.context.events, EVENT_WARNING, NULL,
                  "disk '%s': %s; the next xmig on this host tries again", disk->params.name,
                  err.text);
}

static void stop_mirror(struct guest *guest, const char *disk)
{
    struct xen_guest *vm = xen_guest_of(guest);
    struct error err = { 0 };
    struct xen_disk *source = find_disk(vm, disk, &err);

    if (source && source->is_tracked)
        end_copy(vm, source);
    else if (!xen_connect(&vm->xen, QMP_CONNECT_MS, &err) ||
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

static size_t mirrored_count(const struct xen_guest *vm)
{
    return vm->base.context.options.mirrors_disks ? vm->disk_count : 0;
}

/* The names of those that QEMU mirrors. The caller frees the array. */
static const char **names_of_mirrored(const struct xen_guest *vm, size_t *count)
{
    const char **names = must(calloc(vm->disk_count + 1, sizeof(*names)));

    *count = 0;
    for (size_t i = 0; i < mirrored_count(vm); i++)
        if (!vm->disks[i].is_tracked)
            names[(*count)++] = vm->disks[i].params.name;
    return names;
}

/* Call `function` with the copy of each disk that xmig copies, until it fails. */
static bool each_copy(struct xen_guest *vm,
                      bool (*function)(struct tracked_copy *copy, void *arg, struct error *err),
                      void *arg, struct error *err)
{
    for (size_t i = 0; i < vm->disk_count; i++)
        if (vm->disks[i].copy && !function(vm->disks[i].copy, arg, err))
            return error_prefix(err, "disk '%s'", vm->disks[i].params.name);
    return true;
}

static bool hold(struct tracked_copy *copy, void *unused, struct error *err)
{
    (void)unused;
    return tracked_copy_lock(copy, err);
}

bool xen_mirrors_hold(struct xen_guest *vm, struct error *err)
{
    return each_copy(vm, hold, NULL, err);
}

static bool add_debt(struct tracked_copy *copy, void *bytes, struct error *err)
{
    if (!tracked_copy_go_on(copy, err))
        return false;
    *(uint64_t *)bytes += tracked_copy_state(copy).debt;
    return true;
}

bool xen_mirrors_debt(struct xen_guest *vm, uint64_t *bytes, struct error *err)
{
    size_t count;
    AUTO_FREE const char **names = names_of_mirrored(vm, &count);

    *bytes = 0;
    if (!check_domain(vm, err))
        return false;
    if ((count > 0 &&
         !qmp_mirrors_debt(vm->xen.q, vm->base.context.id, names, count, bytes, err)) ||
        !each_copy(vm, add_debt, bytes, err))
        return explain(vm, err);
    return true;
}

static bool begin_last(struct tracked_copy *copy, void *unused, struct error *err)
{
    (void)unused;
    return tracked_copy_begin_last(copy, DRAIN_MS, err);
}

static bool finish_copy(struct tracked_copy *copy, void *unused, struct error *err)
{
    (void)unused;
    return tracked_copy_finish(copy, DRAIN_MS, err);
}

/* Is each disk that the kernel serves being copied, and nothing else instead? */
static bool check_copies(const struct xen_guest *vm, struct error *err)
{
    for (size_t i = 0; i < mirrored_count(vm); i++) {
        const struct xen_disk *disk = &vm->disks[i];

        if (disk->is_tracked && !disk->copy)
            return error_set(err, ERROR_SYSTEM, "disk '%s' has not been copied", disk->params.name);
        if (disk->is_tracked && !is_the_kernels(vm, disk, err))
            return error_prefix(err, "disk '%s'", disk->params.name);
    }
    return true;
}

/* All drain at once. */
bool xen_mirrors_drain(struct xen_guest *vm, struct error *err)
{
    size_t count;
    AUTO_FREE const char **names = names_of_mirrored(vm, &count);

    return check_copies(vm, err) && each_copy(vm, begin_last, NULL, err) &&
           (count == 0 ||
            qmp_mirrors_drain(vm->xen.q, vm->base.context.id, names, count, DRAIN_MS, err)) &&
           each_copy(vm, finish_copy, NULL, err);
}

bool xen_mirrors_clean(struct xen_guest *vm, struct error *err)
{
    for (size_t i = 0; vm->xen.has_model && i < vm->disk_count; i++)
        if (!qmp_mirror_stop(vm->xen.q, vm->base.context.id, vm->disks[i].params.name, err))
            return false;
    return true;
}

void xen_mirrors_done(struct xen_guest *vm)
{
    for (size_t i = 0; i < vm->disk_count; i++)
        end_copy(vm, &vm->disks[i]);
}

static void say_left(void *arg, const char *text)
{
    const struct xen_guest *vm = arg;

    event_say(&vm->base.context.events, EVENT_NOTE, NULL, "%s", text);
}

void xen_tracking_clean(struct xen_guest *vm)
{
    struct error err = { 0 };

    if (tracking_leftovers_exist() && !tracking_leftovers_end(NULL, say_left, vm, &err))
        event_say(&vm->base.context.events, EVENT_WARNING, NULL, "%s", err.text);
}

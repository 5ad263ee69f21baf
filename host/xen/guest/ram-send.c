/* Send the guest's RAM and device state. libxc sends RAM in a thread of its own, which takes turns
 * with the loop's thread; its callbacks ask when to pause the guest and suspend it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "host/xen/ground/config.h"
#include "host/xen/ground/device-state.h"
#include "host/xen/ground/domain.h"
#include "host/xen/guest/ram-send.h"
#include "xmig/text.h"

enum {
    LOOK_MS = 500,
    MIRRORS_MS = 2000, /* looked at less often, to spare QEMU */
    DIRTY_LOG_MS = 10000,
    STOP_MS = 10000, /* for QEMU to stop, plus the time for what the mirrors have in flight */
    MODEST_NICE = 10,
    SLOWEST_BYTES_PER_MS = 1024 /* 1 MB/s: no mirror is taken to be slower */
};

/* ---- the dirty log ---- */

/* Never switch the dirty log off twice: QEMU 7.2 aborts, and the guest with it. libxc only switches
 * it off after it has switched it on.
 */
static void dirty_log_turn(void *arg)
{
    struct sending *sending = arg;
    cJSON *arguments = must(cJSON_CreateObject());
    struct error err = { 0 };

    cJSON_AddBoolToObject(arguments, "enable", sending->enable);
    sending->answer = qmp_call_within(sending->vm->xen.q, "xen-set-global-dirty-log", arguments,
                                      NULL, DIRTY_LOG_MS, &err)
                          ? 0
                          : -1;
    if (sending->answer < 0 && !sending->error.kind)
        sending->error = err;
}

/* What QEMU serves of a PVH guest writes by grants, which Xen logs by itself. */
static int on_dirty_log(uint32_t domid, unsigned enable, void *arg)
{
    struct sending *sending = arg;

    (void)domid;
    if (config_is_pvh(sending->vm->config))
        return 0;
    sending->enable = enable;
    library_thread_call(sending->thread, dirty_log_turn, sending);
    return sending->answer;
}

/* ---- the suspension ---- */

static void tell_downtime(struct xen_guest *vm, const char *part, uint64_t since_ms)
{
    uint64_t now_ms = loop_now_ms();

    event_emit(&vm->base.context.events, (struct event){ .kind = EVENT_DOWNTIME,
                                                         .subject = part,
                                                         .elapsed_ms = now_ms - since_ms,
                                                         .at_ms = now_ms });
}

/* Are the devices, the media and, with `ways`, the ways by which the guest uses its disks as they
 * were when it was described?
 */
static bool check_unchanged(struct xen_guest *vm, bool ways, struct error *err)
{
    struct device_snapshot now;
    bool ok = device_snapshot_take(vm, &now, err) && devices_recheck(vm, &now, err) &&
              (!ways || xen_guest_disks_recheck(vm, &now, err));

    device_snapshot_done(&now);
    return ok;
}

/* Does --ram say to send much of RAM with the guest suspended? */
static bool sends_suspended(const struct xen_guest *vm)
{
    enum ram_mode mode = vm->base.context.options.ram;

    return mode == RAM_STOPPED || mode == RAM_ONE_PASS;
}

/* The order matters. QEMU stops after the guest, and its last DMA may still write to RAM, as saving
 * the devices may; so RAM's last pass comes after both. QEMU's stop waits for what the mirrors have
 * in flight, so its deadline depends on that.
 */
static bool suspend(struct sending *sending, struct error *err)
{
    struct xen_guest *vm = sending->vm;
    uint64_t debt, since_ms;

    if (!check_unchanged(vm, false, err) || !xen_mirrors_hold(vm, err) ||
        !xen_mirrors_debt(vm, &debt, err))
        return false;
    if (!sending->hooks->pausing(sending->hooks->arg, err))
        return false;
    sending->pausing = true;
    if (!xen_suspend(vm, err))
        return false;
    tell_downtime(vm, "pause", vm->paused_ms);
    xen_guest_watch(vm);
    if (!sends_suspended(vm))
        ram_hooks_paused(sending->hooks);
    since_ms = loop_now_ms();
    if (!xen_guest_drivers_recheck(vm, err))
        return false;
    if (!guest_model_stop(vm, sending->state_path, STOP_MS + debt / SLOWEST_BYTES_PER_MS, err))
        return false;
    tell_downtime(vm, "devices", since_ms);
    since_ms = loop_now_ms();
    if (!xen_mirrors_drain(vm, err))
        return false;
    tell_downtime(vm, "drain", since_ms);
    sending->drained_ms = loop_now_ms();
    if (sends_suspended(vm))
        vm->ram_since_ms = vm->ram_moved_ms = sending->drained_ms;
    return true;
}

static void suspend_turn(void *arg)
{
    struct sending *sending = arg;
    struct error err = { 0 };

    sending->answer = !library_thread_cancelled(sending->thread) && suspend(sending, &err);
    if (err.kind && !sending->error.kind)
        sending->error = err;
}

/* While the guest runs, its device model needs the processor more than this thread does. Only this
 * thread's priority is lowered: the lane behind it has less to do and must not wait as well.
 */
static void be_modest(bool modest)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), modest ? MODEST_NICE : 0);
}

/* Unlike elsewhere, libxc takes 0 for failure here. */
static int on_suspend(void *arg)
{
    struct sending *sending = arg;

    be_modest(false);
    library_thread_call(sending->thread, suspend_turn, sending);
    return sending->answer;
}

/* ---- the thread ---- */

static void cancel(void *arg)
{
    struct sending *sending = arg;

    shutdown(sending->fd, SHUT_RDWR);
}

static void run(struct library_thread *thread, void *arg)
{
    struct sending *sending = arg;
    struct save_callbacks callbacks = {
        .suspend = on_suspend,
        .precopy_policy = ram_policy,
        .switch_qemu_logdirty = on_dirty_log,
        .data = sending,
    };
    uint32_t flags =
        sending->vm->base.context.options.ram == RAM_STOPPED ? 0 : (uint32_t)XCFLAGS_LIVE;

    sending->thread = thread;
    be_modest(true);
    sending->result = xc_domain_save(sending->xc, sending->fd, sending->vm->xen.domid, flags,
                                     &callbacks, XC_STREAM_PLAIN, -1);
    sending->number = errno;
    if (sending->result == 0 && !library_thread_cancelled(thread) && sending->vm->xen.has_model)
        (void)device_state_send(sending->fd, sending->state_path, &sending->error);
}

/* libxc counts the frames of a pass: in the first pass those of RAM, later all that could exist. */
static void tell_progress(struct sending *sending)
{
    unsigned long frames, total;
    uint64_t done;

    xen_log_progress(sending->vm->xen.log, &frames, &total);
    if (total == 0 || sending->pass > 0)
        return;
    done = (uint64_t)frames * XEN_PAGE;
    event_emit(&sending->vm->base.context.events,
               (struct event){ .kind = EVENT_PROGRESS,
                               .stage = sending->hooks->stage,
                               .subject = "ram",
                               .done = done < sending->ram ? done : sending->ram,
                               .total = sending->ram });
}

static void follow_paused_ram(struct sending *sending)
{
    struct xen_guest *vm = sending->vm;
    unsigned long frames, total;

    xen_log_progress(sending->vm->xen.log, &frames, &total);
    if (vm->ram_since_ms && frames != sending->seen)
        vm->ram_moved_ms = loop_now_ms();
    sending->seen = frames;
}

/* Look at the mirrors while RAM is sent: a dead mirror is noticed now, not after hours. */
static bool look(void *arg, struct error *err)
{
    struct sending *sending = arg;
    uint64_t debt, now_ms = loop_now_ms();

    xen_log_drain(sending->vm->xen.log, &sending->vm->base.context.events);
    tell_progress(sending);
    follow_paused_ram(sending);
    if (sending->pausing || now_ms - sending->looked_ms < MIRRORS_MS)
        return true;
    sending->looked_ms = now_ms;
    return xen_mirrors_debt(sending->vm, &debt, err);
}

/* ---- the whole ---- */

/* An error from a callback comes before libxc's own: it is the cause. */
static bool conclude(struct sending *sending, struct error *err)
{
    struct xen_guest *vm = sending->vm;

    xen_log_drain(vm->xen.log, &vm->base.context.events);
    if (sending->error.kind) {
        *err = sending->error;
        return false;
    }
    if (sending->result == 0)
        return true;
    errno = sending->number;
    xen_fail(&vm->xen, err, "sending RAM");
    err->kind = ERROR_LOST; /* libxc found no fault here */
    return false;
}

static bool transfer(struct sending *sending, struct error *err)
{
    struct xen_guest *vm = sending->vm;
    const struct library_work work = {
        .run = run, .cancel = cancel, .look = look, .look_ms = LOOK_MS, .arg = sending
    };
    if (!library_thread_run(vm->base.context.loop, &work, err)) {
        ram_policy_explain(sending, err);
        return false;
    }
    if (!conclude(sending, err))
        return false;
    tell_downtime(vm, "ram", sending->drained_ms);
    return true;
}

static bool prepare(struct sending *sending, const char *path, struct error *err)
{
    struct xen_guest *vm = sending->vm;
    xc_domaininfo_t info;

    if (!domain_info(vm->xen.xc, vm->xen.domid, &info))
        return error_set(err, ERROR_SYSTEM, "the domain is gone");
    if (!check_unchanged(vm, true, err))
        return false;
    sending->ram = info.tot_pages * XEN_PAGE;
    sending->xc = xen_open_for_thread(&vm->xen, err);
    if (!sending->xc)
        return false;
    sending->fd = connect_unix(path, err);
    return sending->fd >= 0;
}

bool xen_ram_send(struct guest *guest, const char *path, const struct ram_hooks *hooks,
                  struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);
    struct sending sending = { .vm = vm,
                               .hooks = hooks,
                               .fd = -1,
                               .precopy.max_downtime_ms = guest->context.options.max_downtime_ms,
                               .precopy.has_deadline = guest->context.options.has_deadline };
    bool ok;

    sending.state_path = formatted("%s/device-state", guest->context.runtime_dir);
    ok = prepare(&sending, path, err) && transfer(&sending, err);
    unlink(sending.state_path);
    free(sending.state_path);
    cleanup_close(&sending.fd);
    if (sending.xc)
        xc_interface_close(sending.xc);
    return ok;
}

uint64_t xen_paused_at(struct guest *guest)
{
    return xen_guest_of(guest)->paused_ms;
}

/* A guest that was only asked to suspend itself still runs. */
uint64_t xen_paused_for(struct guest *guest, bool with_ram)
{
    const struct xen_guest *vm = xen_guest_of(guest);

    if (!vm->suspended_ms)
        return 0;
    return loop_now_ms() - vm->suspended_ms - (with_ram ? 0 : vm->ram_moved_ms - vm->ram_since_ms);
}

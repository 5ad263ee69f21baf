/* The source's RAM. libxc sends it, in a thread that takes turns with the loop's, and asks us
 * when to pause the guest and whether it is paused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "host/xen/device-state.h"
#include "host/xen/precopy.h"
#include "host/xen/throttle.h"
#include "host/xen/xen.h"
#include "xmig/turns.h"

enum {
    LOOK_MS = 500,
    WAIT_MS = 100, /* between passes that wait for the disks */
    DIRTY_LOG_MS = 10000,
    STOP_MS = 10000, /* for QEMU to stop, besides what the mirrors have under way */
    SAVE_MS = 30000,
    SLOWEST_BYTES_PER_MS = 1024 /* below a megabyte a second nobody mirrors a disk */
};

struct sending {
    struct xen *vm;
    const struct ram_hooks *hooks;
    struct turns *turns;
    xc_interface *xc; /* the thread's own */
    int fd;
    int in;                    /* what is written there comes out of `fd` */
    struct throttle *throttle; /* NULL: they are the same */
    char *state_path;          /* where QEMU saves the device state */
    struct precopy precopy;
    uint64_t ram; /* bytes of the guest's */
    struct precopy_stats stats;
    unsigned pass; /* as the loop's thread knows it */
    bool enable;   /* the dirty log */
    int answer;
    bool pausing;        /* the guest may be suspended */
    uint64_t drained_ms; /* when nothing but RAM was left to send */
    int result, number;  /* what xc_domain_save() returned, and errno */
    struct error error;  /* what went wrong in what libxc called back */
};

/* ---- how long is little enough? ---- */

/* "(the rest, …)": what stands between the guest and its pause. The caller frees it. */
static char *tell_rest(const struct precopy *precopy)
{
    enum {
        KIB = 1024
    };

    return xen_text("the rest, %llu KiB, would take %llu ms at %llu KiB/s, and --max-downtime %llu "
                    "ms needs %llu KiB/s",
                    (unsigned long long)precopy->left / KIB,
                    (unsigned long long)precopy->expected_ms,
                    (unsigned long long)(precopy->rate * 1000) / KIB,
                    (unsigned long long)precopy->max_downtime_ms,
                    (unsigned long long)precopy_needed_rate(precopy) / KIB);
}

static void say_stalled(struct sending *sending)
{
    AUTO_FREE char *rest = tell_rest(&sending->precopy);

    event_say(&sending->vm->base.context.events, EVENT_WARNING, "ram-stream",
              "the guest writes as fast as it can be sent: %s; trying on", rest);
}

static void give_up(struct sending *sending)
{
    AUTO_FREE char *rest = tell_rest(&sending->precopy);

    error_set(&sending->error, ERROR_TIMEOUT,
              "the guest writes faster than it can be sent: %s; allow more, or take --ram one-pass",
              rest);
}

static int follow(struct sending *sending, enum precopy_verdict verdict)
{
    switch (verdict) {
    case PRECOPY_PAUSE:
        return XGS_POLICY_STOP_AND_COPY;
    case PRECOPY_GO_ON:
        return XGS_POLICY_CONTINUE_PRECOPY;
    case PRECOPY_STALLED:
        say_stalled(sending);
        return XGS_POLICY_CONTINUE_PRECOPY;
    case PRECOPY_WAIT:
        return loop_pause(sending->vm->base.context.loop, WAIT_MS, &sending->error)
                   ? XGS_POLICY_CONTINUE_PRECOPY
                   : XGS_POLICY_ABORT;
    case PRECOPY_HOPELESS:
        break;
    }
    give_up(sending);
    return XGS_POLICY_ABORT;
}

static int decide(struct sending *sending)
{
    uint64_t debt;
    bool ready;
    enum precopy_verdict verdict;

    if (sending->vm->base.context.options.ram == RAM_ONE_PASS)
        return XGS_POLICY_STOP_AND_COPY;
    if (sending->stats.iteration == 0)
        return XGS_POLICY_CONTINUE_PRECOPY;
    if (!xen_mirrors_debt(sending->vm, &debt, &ready, &sending->error))
        return XGS_POLICY_ABORT;
    verdict = precopy_decide(&sending->precopy, (uint64_t)sending->stats.dirty_count * XEN_PAGE,
                             debt, ready);
    event_say(&sending->vm->base.context.events, EVENT_DEBUG, "ram-stream",
              "pass %u: %ld pages and %llu bytes of disk are left, which takes %llu ms",
              sending->stats.iteration, sending->stats.dirty_count, (unsigned long long)debt,
              (unsigned long long)sending->precopy.expected_ms);
    return follow(sending, verdict);
}

/* Called before a pass, when it is known what it would send, and after it, when it is not. */
static void policy_turn(void *arg)
{
    struct sending *sending = arg;
    struct loop *loop = sending->vm->base.context.loop;
    uint64_t bytes = (uint64_t)sending->stats.dirty_count * XEN_PAGE;

    sending->pass = sending->stats.iteration;
    if (turns_cancelled(sending->turns) || loop_interrupted(loop)) {
        sending->answer = XGS_POLICY_ABORT;
        return;
    }
    if (sending->stats.dirty_count < 0) {
        precopy_pass_ends(&sending->precopy, loop_now_ms());
        sending->answer = XGS_POLICY_CONTINUE_PRECOPY;
        return;
    }
    sending->answer = decide(sending);
    precopy_pass_begins(&sending->precopy, sending->stats.iteration ? bytes : sending->ram,
                        loop_now_ms());
}

static int on_policy(struct precopy_stats stats, void *arg)
{
    struct sending *sending = arg;

    sending->stats = stats;
    turns_call(sending->turns, policy_turn, sending);
    return sending->answer;
}

/* ---- the dirty log ---- */

/* libxc switches it off only where it has switched it on: switching it off when it is not on
 * aborts QEMU 7.2, and the guest with it.
 */
static void dirty_log_turn(void *arg)
{
    struct sending *sending = arg;
    cJSON *arguments = must(cJSON_CreateObject());
    struct error err = { 0 };

    cJSON_AddBoolToObject(arguments, "enable", sending->enable);
    sending->answer = qmp_call_within(sending->vm->q, "xen-set-global-dirty-log", arguments, NULL,
                                      DIRTY_LOG_MS, &err)
                          ? 0
                          : -1;
    if (sending->answer < 0 && !sending->error.kind)
        sending->error = err;
}

static int on_dirty_log(uint32_t domid, unsigned enable, void *arg)
{
    struct sending *sending = arg;

    (void)domid;
    sending->enable = enable;
    turns_call(sending->turns, dirty_log_turn, sending);
    return sending->answer;
}

/* ---- the suspension ---- */

static void tell_downtime(struct xen *vm, const char *part, uint64_t since_ms)
{
    event_emit(&vm->base.context.events, (struct event){ .kind = EVENT_DOWNTIME,
                                                         .subject = part,
                                                         .elapsed_ms = loop_now_ms() - since_ms });
}

/* With the mirrors' targets elsewhere the images need not be given up (live); shared ones
 * must be, before the target may touch them.
 */
static bool save_devices(struct sending *sending, struct error *err)
{
    struct xen *vm = sending->vm;
    cJSON *arguments = must(cJSON_CreateObject());

    cJSON_AddStringToObject(arguments, "filename", sending->state_path);
    cJSON_AddBoolToObject(arguments, "live", !vm->base.context.options.mirrors_disks);
    return qmp_call_within(vm->q, "xen-save-devices-state", arguments, NULL, SAVE_MS, err);
}

/* The order matters: after the guest, QEMU stops, whose last DMA may still write RAM; saving
 * the devices may, too. Only then RAM's last pass is made. QEMU's stop waits for what the
 * mirrors have under way, hence its deadline.
 */
static bool suspend(struct sending *sending, struct error *err)
{
    struct xen *vm = sending->vm;
    uint64_t debt, since_ms;
    bool ready;

    if (!xen_mirrors_debt(vm, &debt, &ready, err))
        return false;
    if (!sending->hooks->pausing(sending->hooks->arg, err))
        return false;
    sending->pausing = true;
    if (!guest_suspend(vm, err))
        return false;
    tell_downtime(vm, "pause", vm->source.paused_ms);
    since_ms = loop_now_ms();
    if (!qmp_stop(vm->q, STOP_MS + debt / SLOWEST_BYTES_PER_MS, err))
        return error_prefix(err, "stopping the device model");
    if (!save_devices(sending, err))
        return error_prefix(err, "saving the device state");
    tell_downtime(vm, "devices", since_ms);
    since_ms = loop_now_ms();
    if (!xen_mirrors_drain(vm, err))
        return false;
    tell_downtime(vm, "drain", since_ms);
    sending->drained_ms = loop_now_ms();
    return true;
}

static void suspend_turn(void *arg)
{
    struct sending *sending = arg;
    struct error err = { 0 };

    sending->answer = !turns_cancelled(sending->turns) && suspend(sending, &err);
    if (err.kind && !sending->error.kind)
        sending->error = err;
}

/* libxc takes 0 for failure here. */
static int on_suspend(void *arg)
{
    struct sending *sending = arg;

    turns_call(sending->turns, suspend_turn, sending);
    return sending->answer;
}

/* ---- the thread ---- */

static void run(struct turns *turns, void *arg)
{
    struct sending *sending = arg;
    struct save_callbacks callbacks = {
        .suspend = on_suspend,
        .precopy_policy = on_policy,
        .switch_qemu_logdirty = on_dirty_log,
        .data = sending,
    };
    uint32_t flags =
        sending->vm->base.context.options.ram == RAM_STOPPED ? 0 : (uint32_t)XCFLAGS_LIVE;

    sending->turns = turns;
    sending->result = xc_domain_save(sending->xc, sending->in, sending->vm->domid, flags,
                                     &callbacks, XC_STREAM_PLAIN, -1);
    sending->number = errno;
    if (sending->result == 0 && !turns_cancelled(turns))
        (void)device_state_send(sending->in, sending->state_path, &sending->error);
    throttle_free(steal(sending->throttle));
}

static void cancel(void *arg)
{
    struct sending *sending = arg;

    shutdown(sending->fd, SHUT_RDWR);
}

/* libxc counts the frames of a pass. */
static void tell_progress(struct sending *sending)
{
    unsigned long done, total;

    xen_log_progress(sending->vm->log, &done, &total);
    if (total == 0 || sending->pass > 0)
        return;
    event_emit(
        &sending->vm->base.context.events,
        (struct event){ .kind = EVENT_PROGRESS,
                        .stage = "ram-stream",
                        .subject = "ram",
                        .done = (uint64_t)((double)sending->ram * (double)done / (double)total),
                        .total = sending->ram });
}

/* A mirror that has died is noticed now, and not after hours of RAM. */
static bool look(void *arg, struct error *err)
{
    struct sending *sending = arg;
    uint64_t debt;
    bool ready;

    xen_log_drain(sending->vm->log, &sending->vm->base.context.events);
    tell_progress(sending);
    return sending->pausing || xen_mirrors_debt(sending->vm, &debt, &ready, err);
}

/* ---- the whole ---- */

/* What went wrong first: what libxc called back knows best. */
static bool conclude(struct sending *sending, struct error *err)
{
    struct xen *vm = sending->vm;

    xen_log_drain(vm->log, &vm->base.context.events);
    if (sending->error.kind) {
        *err = sending->error;
        return false;
    }
    if (sending->result == 0)
        return true;
    errno = sending->number;
    return xen_fail(vm, err, "sending RAM");
}

/* Somebody has lost patience with a guest that writes too fast. */
static void explain_delay(const struct sending *sending, struct error *err)
{
    AUTO_FREE char *rest = tell_rest(&sending->precopy);
    struct error said = *err;

    if (said.kind == ERROR_CANCELLED && sending->precopy.vain > 0 && !sending->pausing)
        error_set(err, said.kind, "%s; %s", said.text, rest);
}

static bool transfer(struct sending *sending, struct error *err)
{
    struct xen *vm = sending->vm;
    const struct turns_work work = {
        .run = run, .cancel = cancel, .look = look, .look_ms = LOOK_MS, .arg = sending
    };
    if (!turns_run(vm->base.context.loop, &work, err)) {
        explain_delay(sending, err);
        return false;
    }
    if (!conclude(sending, err))
        return false;
    tell_downtime(vm, "ram", sending->drained_ms);
    return true;
}

static bool prepare(struct sending *sending, const char *path, struct error *err)
{
    struct xen *vm = sending->vm;
    xc_domaininfo_t info;

    if (!domain_info(vm->xc, vm->domid, &info))
        return error_set(err, ERROR_SYSTEM, "the domain is gone");
    sending->ram = info.tot_pages * XEN_PAGE;
    sending->xc = xc_interface_open(xen_log_logger(vm->log), xen_log_logger(vm->log), 0);
    if (!sending->xc)
        return xen_fail(vm, err, "cannot talk to Xen");
    sending->fd = sending->in = connect_unix(path, err);
    if (sending->fd < 0)
        return false;
    if (vm->base.context.options.bandwidth)
        sending->throttle =
            throttle_new(sending->fd, vm->base.context.options.bandwidth, &sending->in, err);
    return sending->throttle || !vm->base.context.options.bandwidth;
}

bool xen_ram_send(struct host *host, const char *path, const struct ram_hooks *hooks,
                  struct error *err)
{
    struct xen *vm = xen_of(host);
    struct sending sending = { .vm = vm,
                               .hooks = hooks,
                               .fd = -1,
                               .precopy.max_downtime_ms = host->context.options.max_downtime_ms };
    bool ok;

    sending.state_path = xen_text("%s/device-state", host->context.runtime_dir);
    ok = prepare(&sending, path, err) && transfer(&sending, err);
    unlink(sending.state_path);
    free(sending.state_path);
    cleanup_close(&sending.fd);
    if (sending.xc)
        xc_interface_close(sending.xc);
    return ok;
}

uint64_t xen_paused_at(struct host *host)
{
    return xen_of(host)->source.paused_ms;
}

/* Suspend a guest as libxl does. A guest with PV drivers is asked to suspend itself, so that the
 * drivers connect to their new backends afterwards. Any other guest is stopped and does not notice.
 */
#include "host/xen/guest/guest.h"

#include <errno.h>

#include <xenevtchn.h>
#include <xenguest.h>
#include <xen/hvm/params.h>

#include "host/xen/ground/config.h"
#include "host/xen/ground/domain.h"
#include "host/xen/monitor/monitor.h"
#include "xmig/facts.h"
#include "xmig/text.h"

enum {
    ANSWER_MS = 60000,  /* until the guest acknowledges the request */
    SUSPEND_MS = 60000, /* and until it suspends itself */
    LATE_MS = 10000,    /* for a guest that was about to suspend itself when xmig gave up */
    POLL_MS = 5
};

/* Look often at first, then ever less: a guest that takes long needs the processor itself. */
static bool pause_between_looks(struct xen_guest *vm, uint64_t since_ms, struct error *err)
{
    uint64_t share_ms = (loop_now_ms() - since_ms) / 20;

    return loop_pause(vm->base.context.loop, share_ms > POLL_MS ? share_ms : POLL_MS, err);
}

static bool is_suspended(struct xen_guest *vm, bool *suspended, struct error *err)
{
    xc_domaininfo_t info;
    unsigned reason;

    *suspended = false;
    if (!domain_info(vm->xen.xc, vm->xen.domid, &info))
        return error_set(err, ERROR_SYSTEM, "the guest is gone");
    if (!domain_is_shut_down(&info, &reason))
        return true;
    *suspended = reason == SHUTDOWN_suspend;
    return *suspended || error_set(err, ERROR_SYSTEM,
                                   "the guest has shut itself down instead of suspending "
                                   "(reason %u)",
                                   reason);
}

static bool await_suspended(struct xen_guest *vm, uint64_t timeout_ms, struct error *err)
{
    uint64_t begin = loop_now_ms();
    bool suspended;

    for (;;) {
        if (!is_suspended(vm, &suspended, err))
            return false;
        if (suspended)
            return true;
        if (loop_now_ms() - begin >= timeout_ms)
            return error_set(err, ERROR_TIMEOUT, "the guest does not suspend itself");
        if (!pause_between_looks(vm, begin, err))
            return false;
    }
}

/* ---- by an event channel of the guest's ---- */

static bool notify(struct xen_guest *vm, xenevtchn_handle *channels, int port, struct error *err)
{
    int lock = -1;
    int local = xc_suspend_evtchn_init_exclusive(vm->xen.xc, channels, vm->xen.domid, port, &lock);
    bool ok;

    if (local < 0)
        return xen_fail(&vm->xen, err, "cannot bind the guest's suspend event channel");
    ok = xenevtchn_notify(channels, (evtchn_port_t)local) == 0 ||
         xen_fail(&vm->xen, err, "cannot notify the guest");
    ok = ok && await_suspended(vm, SUSPEND_MS, err);
    xc_suspend_evtchn_release(vm->xen.xc, channels, vm->xen.domid, local, &lock);
    return ok;
}

static bool suspend_by_channel(struct xen_guest *vm, int port, struct error *err)
{
    xenevtchn_handle *channels = xenevtchn_open(NULL, 0);
    bool ok;

    if (!channels)
        return xen_fail(&vm->xen, err, "cannot use event channels");
    vm->asked = true;
    ok = notify(vm, channels, port, err);
    xenevtchn_close(channels);
    return ok;
}

/* ---- by a request in xenstore ---- */

static char *request_path(const struct xen_guest *vm)
{
    return formatted("/local/domain/%u/control/shutdown", vm->xen.domid);
}

static bool is_pending(struct xen_guest *vm)
{
    AUTO_FREE char *value =
        store_read(vm->xen.xs, "/local/domain/%u/control/shutdown", vm->xen.domid);

    return value && !strcmp(value, "suspend");
}

/* Take the request back. False: the guest has acknowledged it meanwhile, or nobody can tell. */
static bool withdraw(struct xen_guest *vm)
{
    AUTO_FREE char *path = request_path(vm);

    for (;;) {
        xs_transaction_t transaction = xs_transaction_start(vm->xen.xs);
        unsigned len;
        AUTO_FREE char *value = transaction ? xs_read(vm->xen.xs, transaction, path, &len) : NULL;
        bool pending = value && !strcmp(value, "suspend");

        if (!transaction)
            return false;
        if (!pending || !xs_write(vm->xen.xs, transaction, path, "", 0)) {
            (void)xs_transaction_end(vm->xen.xs, transaction, true);
            return false;
        }
        if (xs_transaction_end(vm->xen.xs, transaction, false))
            return true;
        if (errno != EAGAIN)
            return false;
    }
}

static bool await_answer(struct xen_guest *vm, struct error *err)
{
    uint64_t begin = loop_now_ms();

    while (is_pending(vm)) {
        if (loop_now_ms() - begin >= ANSWER_MS) {
            if (!withdraw(vm))
                return true;
            vm->asked = false;
            return error_set(err, ERROR_TIMEOUT,
                             "the guest does not answer the request to "
                             "suspend itself");
        }
        if (!pause_between_looks(vm, begin, err))
            return false;
    }
    return true;
}

static bool suspend_by_request(struct xen_guest *vm, struct error *err)
{
    AUTO_FREE char *path = request_path(vm);

    vm->asked = true;
    return store_write(vm->xen.xs, err, "suspend", "%s", path) && await_answer(vm, err) &&
           await_suspended(vm, SUSPEND_MS, err);
}

/* ---- the public face ---- */

static bool suspend(struct xen_guest *vm, struct error *err)
{
    uint64_t callback = 0, sleep_state = 0;
    int port = xs_suspend_evtchn_port((int)vm->xen.domid);

    if (xc_hvm_param_get(vm->xen.xc, vm->xen.domid, HVM_PARAM_CALLBACK_IRQ, &callback) < 0 ||
        xc_hvm_param_get(vm->xen.xc, vm->xen.domid, HVM_PARAM_ACPI_S_STATE, &sleep_state) < 0)
        return xen_fail(&vm->xen, err, "cannot ask whether the guest has PV drivers");
    vm->paused_ms = loop_now_ms();
    if (sleep_state == 0 && port >= 0)
        return suspend_by_channel(vm, port, err);
    if (sleep_state == 0 && (callback != 0 || config_is_pvh(vm->config)))
        return suspend_by_request(vm, err);
    if (xc_domain_shutdown(vm->xen.xc, vm->xen.domid, SHUTDOWN_suspend) < 0)
        return xen_fail(&vm->xen, err, "cannot suspend the guest");
    return await_suspended(vm, SUSPEND_MS, err);
}

bool xen_suspend(struct xen_guest *vm, struct error *err)
{
    if (!suspend(vm, err))
        return false;
    vm->suspended_ms = loop_now_ms();
    return true;
}

/* Start xmig's monitor for the domain: xl's own ended when it saw the domain suspended. */
static bool go_on(struct xen_guest *vm, struct error *err)
{
    struct error why = { 0 };

    if (xc_domain_resume(vm->xen.xc, vm->xen.domid, 1) < 0)
        return xen_fail(&vm->xen, err, "cannot let the guest go on");
    if (!xs_resume_domain(vm->xen.xs, vm->xen.domid))
        event_say(&vm->base.context.events, EVENT_WARNING, NULL,
                  "xenstore was not told that the guest goes on: %s", strerror(errno));
    if (!monitor_start(vm->base.context.loop, vm->xen.domid, &why))
        event_say(&vm->base.context.events, EVENT_WARNING, NULL,
                  "nobody watches the guest any more: %s", why.text);
    return true;
}

/* Write to the journal that the request is pending: nothing takes it back, not even a crash of
 * xmig.
 */
static bool leave_pending(struct xen_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *fact = fact_new(FACT_ACKNOWLEDGED);
    struct error why = { 0 };

    if (!vm->suspend_pending && !vm->base.context.note(vm->base.context.note_arg, fact, &why))
        event_say(&vm->base.context.events, EVENT_WARNING, NULL, "%s", why.text);
    vm->suspend_pending = true;
    return error_set(err, ERROR_TIMEOUT,
                     "the guest has taken the request to suspend itself, and does not follow it; "
                     "nothing can take that back. It runs now, and may stop at any time: when 'xl "
                     "list' shows it as 's', 'xmig recover' lets it go on; to end the wait, "
                     "restart it");
}

/* A guest that has acknowledged the request suspends itself even though xmig has given up. */
bool xen_unsuspend(struct xen_guest *vm, struct error *err)
{
    struct error why = { 0 };
    bool suspended;

    if (!is_suspended(vm, &suspended, err))
        return false;
    if (!suspended && (vm->suspend_pending || (vm->asked && !withdraw(vm)))) {
        suspended = await_suspended(vm, LATE_MS, &why);
        if (!suspended)
            return leave_pending(vm, err);
    }
    vm->suspend_pending = false;
    vm->suspended_ms = 0;
    return !suspended || go_on(vm, err);
}

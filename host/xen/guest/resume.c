/* Does the guest run? Let it go on after an attempt that failed, end it after a move. */
#include "host/xen/guest/guest.h"

#include <sys/resource.h>

#include "host/system/program.h"
#include "host/xen/ground/config.h"
#include "host/xen/ground/domain.h"
#include "xmig/text.h"

enum {
    LOWEST_NICE = 19,
    DESTROY_MS = 120000,
    REBUILD_MS = 15000,
    START_MS = 60000,
    POLL_MS = 200
};

/* A guest that reboots gets a new domain from xl or xmig's monitor, which is paused until it is
 * complete.
 */
static void await_running(struct xen_guest *vm)
{
    uint64_t deadline = loop_now_ms() + START_MS;

    while (xen_state(&vm->xen) == RUN_PAUSED && loop_now_ms() < deadline)
        if (!loop_pause(vm->base.context.loop, POLL_MS, NULL))
            return;
}

/* Wait for the new domain of a guest that has rebooted, which xl needs a while to make. A domain
 * that somebody destroys is paused first, and then gets none.
 */
static void follow_end(struct xen_guest *vm)
{
    uint64_t deadline = loop_now_ms() + REBUILD_MS;
    bool was_paused = domain_is_held(&vm->xen);
    uint32_t domid;

    /* The loss of the device model has interrupted every wait: it is known by now. */
    xen_disconnect(&vm->xen);
    loop_clear_interruption(vm->base.context.loop);
    do {
        if (domain_find_uuid(vm->xen.xc, vm->xen.uuid, vm->xen.domid, &domid)) {
            event_say(&vm->base.context.events, EVENT_NOTE, NULL,
                      "the guest has rebooted, and is domain %u now", domid);
            vm->xen.domid = domid;
            await_running(vm);
            return;
        }
    } while (loop_pause(vm->base.context.loop, POLL_MS, NULL) && loop_now_ms() < deadline &&
             (!was_paused || domain_is_held(&vm->xen)));
    (void)xen_is_left_alone(vm);
}

static bool has_shut_down(struct xen_guest *vm)
{
    xc_domaininfo_t info;
    unsigned reason;

    return domain_info(vm->xen.xc, vm->xen.domid, &info) && domain_is_shut_down(&info, &reason) &&
           reason != SHUTDOWN_suspend;
}

/* Does somebody end the domain? Its device model ends first, the domain last. */
static bool is_ending(struct xen_guest *vm)
{
    return xen_state(&vm->xen) == RUN_GONE || has_shut_down(vm) || domain_is_held(&vm->xen) ||
           guest_model_is_gone(vm);
}

/* A guest whose device model is stopped does not run, whatever its vCPUs do. One that may suspend
 * itself at any time counts as paused, too.
 */
enum run_state xen_guest_state(struct guest *guest)
{
    struct xen_guest *vm = xen_guest_of(guest);
    enum run_state state;

    if (!*vm->base.stopped && !vm->destroyed && !vm->reattached && is_ending(vm))
        follow_end(vm);
    if (vm->reattached && domain_is_held(&vm->xen))
        (void)xen_is_left_alone(vm);
    state = xen_state(&vm->xen);
    if (state == RUN_RUNNING && vm->suspend_pending)
        return RUN_PAUSED;
    return state == RUN_RUNNING ? guest_model_state(vm) : state;
}

bool xen_guest_resume(struct guest *guest, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);

    if (xen_state(&vm->xen) == RUN_GONE)
        return error_set(err, ERROR_SYSTEM, "the domain '%s' is gone", vm->name);
    if (has_shut_down(vm) && xen_is_left_alone(vm))
        return true;
    if (!guest_model_goes_on(vm, err) || !xen_unsuspend(vm, err))
        return false;
    return !vm->reattached || xen_mirrors_clean(vm, err);
}

/* `xl destroy` removes all that belongs to the domain: libxl made it. */
bool xen_guest_destroy(struct guest *guest, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);
    AUTO_FREE char *number = formatted("%u", vm->xen.domid);
    AUTO_FREE char *xl = program_find("xl");
    const char *const words[] = { xl ? xl : "/usr/sbin/xl", "destroy", number, NULL };

    xen_disconnect(&vm->xen);
    vm->destroyed = true;
    switch (xen_state(&vm->xen)) {
    case RUN_GONE: /* by a power cut, which leaves libxl's files behind */
        config_remove(vm->xen.domid, vm->xen.uuid);
        xen_fence_tell(vm);
        return true;
    case RUN_RUNNING:
    case RUN_PAUSED:
    case RUN_UNKNOWN:
        if (xen_guest_ran(vm, err))
            return false;
        break;
    }
    /* The rest is not urgent: let others on this host go first. */
    (void)setpriority(PRIO_PROCESS, 0, LOWEST_NICE);
    if (!program_run(guest->context.loop, words, NULL, DESTROY_MS, err))
        return error_prefix(err, "destroying the old copy");
    xen_fence_tell(vm);
    return true;
}

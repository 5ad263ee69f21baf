/* Has somebody else changed the domain's run state: `xl pause`, `xl unpause`, a resume, a guest
 * that turns itself off or crashes? Xen counts how long a domain's vCPUs have run, so that even a
 * short run is seen later.
 */
#include "host/xen/guest/guest.h"

#include <inttypes.h>
#include <stdio.h>

#include "host/images/image-fence.h"
#include "host/xen/ground/domain.h"
#include "xmig/facts.h"

enum {
    SETTLE_MS = 100 /* a vCPU that was told to stop still runs for some microseconds */
};

void xen_guest_watch(struct xen_guest *vm)
{
    uint64_t begin = loop_now_ms();
    xc_domaininfo_t info;

    while (domain_info(vm->xen.xc, vm->xen.domid, &info) && (info.flags & XEN_DOMINF_running) &&
           loop_now_ms() - begin < SETTLE_MS)
        ;
    if (!domain_time_run(&vm->xen, &vm->ran_ns))
        vm->ran_ns = 0;
}

/* The number is written as text: a double has not all of its 64 bits. */
void xen_guest_watch_note(const struct xen_guest *vm, cJSON *fact)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, vm->ran_ns);
    cJSON_AddStringToObject(fact, "ran_ns", text);
}

void xen_guest_watch_found(struct xen_guest *vm, const cJSON *fact)
{
    vm->ran_ns = strtoull(json_string_or(fact, "ran_ns", "0"), NULL, 10);
}

/* Has the domain run since it was suspended? False also if that is not known. */
static bool has_run(struct xen_guest *vm)
{
    uint64_t ns;

    if (vm->ran || xen_state(&vm->xen) == RUN_RUNNING)
        return true;
    return vm->ran_ns != 0 && domain_time_run(&vm->xen, &ns) && ns != vm->ran_ns;
}

bool xen_guest_unchanged(struct guest *guest, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);
    uint64_t ns;

    if (has_run(vm))
        return error_set(err, ERROR_REFUSED,
                         "somebody has let the domain run here after it was suspended to be "
                         "handed over");
    return (vm->ran_ns != 0 && domain_time_run(&vm->xen, &ns)) ||
           error_set(err, ERROR_SYSTEM,
                     "whether the guest has run here since it was suspended cannot be told");
}

static void note(struct xen_guest *vm, enum fact what, const char *why)
{
    struct vm_context *context = &vm->base.context;
    AUTO_JSON cJSON *fact = fact_new(what);

    cJSON_AddStringToObject(fact, "why", why);
    (void)context->note(context->note_arg, fact, NULL); /* no journal yet: no need */
}

bool xen_guest_ran(struct xen_guest *vm, struct error *err)
{
    char images[384];

    if (!has_run(vm))
        return false;
    if (!vm->ran)
        note(vm, FACT_RAN, "somebody has let it run");
    vm->ran = true;
    if (xen_state(&vm->xen) == RUN_RUNNING)
        (void)xc_domain_pause(vm->xen.xc, vm->xen.domid);
    image_fence_names(vm->images, images, sizeof(images));
    error_set(err, ERROR_REFUSED,
              "somebody has let the old copy here (domain %u) run after the VM was handed over: it "
              "is paused, and was not ended, for what it has written since is nowhere else (%s). "
              "Look at it, end it with 'xl destroy %u', and run 'xmig recover %s'",
              vm->xen.domid, images, vm->xen.domid, vm->base.context.id);
    return true;
}

/* ---- why it does not run ---- */

static const char *why_shut_down(unsigned reason)
{
    switch (reason) {
    case SHUTDOWN_poweroff:
        return "it has turned itself off";
    case SHUTDOWN_crash:
        return "it has crashed";
    default:
        return "it has shut itself down";
    }
}

static void find_why_gone(struct xen_guest *vm)
{
    char images[384];

    image_fence_names(vm->images, images, sizeof(images));
    snprintf(vm->base.stopped, sizeof(vm->base.stopped),
             "it was turned off, or its domain destroyed; its disks are here: %s", images);
}

bool xen_is_left_alone(struct xen_guest *vm)
{
    char *stopped = vm->base.stopped;
    size_t size = sizeof(vm->base.stopped);
    xc_domaininfo_t info;
    unsigned reason;

    if (*stopped || vm->destroyed)
        return *stopped;
    if (xen_state(&vm->xen) == RUN_GONE)
        find_why_gone(vm);
    else if (!domain_info(vm->xen.xc, vm->xen.domid, &info))
        return false;
    else if (domain_is_shut_down(&info, &reason) && reason != SHUTDOWN_suspend)
        snprintf(stopped, size, "%s (reason %u)", why_shut_down(reason), reason);
    else if (info.flags & XEN_DOMINF_paused)
        snprintf(stopped, size, "somebody has paused it ('xl unpause' lets it run)");
    if (*stopped)
        note(vm, FACT_STOPPED, stopped);
    return *stopped;
}

bool xen_check_runs(struct xen_guest *vm, struct error *err)
{
    return !domain_is_held(&vm->xen) ||
           error_set(err, ERROR_SYSTEM, "somebody has paused the domain, or is destroying it");
}

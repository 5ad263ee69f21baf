/* What happens to the domain's run state by another hand than ours: `xl pause` and `xl unpause`, a
 * resume, a guest that turns itself off or crashes. The hypervisor counts the time that a domain's
 * processors have run: of one that was never let go, none.
 */
#include "host/xen/xen.h"

#include <inttypes.h>
#include <stdio.h>

#include "host/images/image-fence.h"

enum {
    SETTLE_MS = 100 /* a processor that was told to stop is still on its way for microseconds */
};

/* ---- the time that it has run ---- */

/* Sets *ns to the time it has run so far. False: it is gone, or another has its number. */
static bool time_run(struct xen *vm, uint64_t *ns)
{
    xc_domaininfo_t info;
    char uuid[XEN_UUID_SIZE];

    if (vm->domid == 0 || !domain_info(vm->xc, vm->domid, &info))
        return false;
    domain_uuid(&info, uuid);
    *ns = info.cpu_time;
    return !strcmp(uuid, vm->uuid);
}

void xen_source_watch(struct xen *vm)
{
    uint64_t begin = loop_now_ms();
    xc_domaininfo_t info;

    while (domain_info(vm->xc, vm->domid, &info) && (info.flags & XEN_DOMINF_running) &&
           loop_now_ms() - begin < SETTLE_MS)
        ;
    if (!time_run(vm, &vm->source.ran_ns))
        vm->source.ran_ns = 0;
}

/* As text: a double would not hold it. */
void xen_source_watch_note(const struct xen *vm, cJSON *fact)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, vm->source.ran_ns);
    cJSON_AddStringToObject(fact, "ran_ns", text);
}

void xen_source_watch_found(struct xen *vm, const cJSON *fact)
{
    vm->source.ran_ns = strtoull(json_string_or(fact, "ran_ns", "0"), NULL, 10);
}

/* Since it was suspended. False also where that is not known. */
static bool has_run(struct xen *vm)
{
    uint64_t ns;

    if (vm->source.ran || domain_state(vm->xc, vm->domid, vm->uuid) == RUN_RUNNING)
        return true;
    return vm->source.ran_ns != 0 && time_run(vm, &ns) && ns != vm->source.ran_ns;
}

bool xen_source_unchanged(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);
    uint64_t ns;

    if (has_run(vm))
        return error_set(err, ERROR_REFUSED,
                         "somebody has let the domain run here after it was suspended to be "
                         "handed over");
    return (vm->source.ran_ns != 0 && time_run(vm, &ns)) ||
           error_set(err, ERROR_SYSTEM,
                     "whether the guest has run here since it was suspended cannot be told");
}

static void note(struct xen *vm, const char *what, const char *why)
{
    struct vm_context *context = &vm->base.context;
    AUTO_JSON cJSON *fact = must(cJSON_CreateObject());

    cJSON_AddStringToObject(fact, "fact", what);
    cJSON_AddStringToObject(fact, "why", why);
    (void)context->note(context->note_arg, fact, NULL); /* before the journal there is no need */
}

bool xen_source_ran(struct xen *vm, struct error *err)
{
    char images[384];

    if (!has_run(vm))
        return false;
    if (!vm->source.ran)
        note(vm, "ran", "somebody has let it run");
    vm->source.ran = true;
    if (domain_state(vm->xc, vm->domid, vm->uuid) == RUN_RUNNING)
        (void)xc_domain_pause(vm->xc, vm->domid);
    image_fence_names(vm->source.images, images, sizeof(images));
    error_set(err, ERROR_REFUSED,
              "somebody has let the old copy here (domain %u) run after the VM was handed over: it "
              "is paused, and was not ended, for what it has written since is nowhere else (%s). "
              "Look at it, end it with 'xl destroy %u', and run 'xmig recover %s'",
              vm->domid, images, vm->domid, vm->base.context.id);
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

static void find_why_gone(struct xen *vm)
{
    char images[384];

    image_fence_names(vm->source.images, images, sizeof(images));
    snprintf(vm->base.stopped, sizeof(vm->base.stopped),
             "it was turned off, or its domain destroyed; its disks are here: %s", images);
}

bool xen_is_left_alone(struct xen *vm)
{
    char *stopped = vm->base.stopped;
    size_t size = sizeof(vm->base.stopped);
    xc_domaininfo_t info;
    unsigned reason;

    if (*stopped || vm->source.destroyed)
        return *stopped;
    if (domain_state(vm->xc, vm->domid, vm->uuid) == RUN_GONE)
        find_why_gone(vm);
    else if (!domain_info(vm->xc, vm->domid, &info))
        return false;
    else if (domain_is_shut_down(&info, &reason) && reason != SHUTDOWN_suspend)
        snprintf(stopped, size, "%s (reason %u)", why_shut_down(reason), reason);
    else if (info.flags & XEN_DOMINF_paused)
        snprintf(stopped, size, "somebody has paused it ('xl unpause' lets it run)");
    if (*stopped)
        note(vm, "stopped", stopped);
    return *stopped;
}

bool xen_check_runs(struct xen *vm, struct error *err)
{
    return !domain_is_held(vm) ||
           error_set(err, ERROR_SYSTEM, "somebody has paused the domain, or is destroying it");
}

/* ---- the target's copy ---- */

/* What it has run is known to Xen as long as the domain is there: nothing to write down. */
void xen_remember_sealed(struct host *host, cJSON *facts)
{
    (void)host;
    (void)facts;
}

bool xen_copy_never_ran(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);
    uint64_t ns;

    if (!time_run(vm, &ns))
        return true;
    if (domain_state(vm->xc, vm->domid, vm->uuid) == RUN_RUNNING &&
        xc_domain_pause(vm->xc, vm->domid) < 0)
        return xen_fail(vm, err, "the copy here runs, and cannot be paused");
    if (time_run(vm, &ns) && ns == 0)
        return true;
    return error_set(err, ERROR_REFUSED, "somebody has let the copy here (domain %u) run",
                     vm->domid);
}

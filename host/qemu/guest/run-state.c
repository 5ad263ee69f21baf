/* What happens to the guest's run state by another hand than ours: a second monitor's `stop` and
 * `cont`, a guest that turns itself off or panics. QEMU tells it as events to who is connected;
 * what happened before is told by the time that its vCPUs have run.
 */
#include <inttypes.h>
#include <stdio.h>

#include "host/images/image-fence.h"
#include "host/images/image-mark.h"
#include "host/qemu/guest/guest.h"
#include "xmig/process.h"
#include "xmig/facts.h"

enum {
    STOP_MS = 60000, /* every disk is flushed */
};

/* ---- the source, before it is paused ---- */

static void note_stop(struct qemu_guest *vm)
{
    struct vm_context *context = &vm->base.context;
    AUTO_JSON cJSON *fact = fact_new(FACT_STOPPED);

    cJSON_AddStringToObject(fact, "why", vm->base.stopped);
    (void)context->note(context->note_arg, fact, NULL); /* before the journal there is no need */
}

static const char *why_stopped(const char *status)
{
    if (!strcmp(status, "paused"))
        return "somebody has stopped it";
    if (!strcmp(status, "shutdown"))
        return "it has turned itself off";
    if (!strcmp(status, "guest-panicked"))
        return "it has panicked";
    return "QEMU has stopped it";
}

/* Stopped for good, and not for us. An I/O error is retried at the target as it would be here. */
static bool is_end(const char *status)
{
    static const char *const ends[] = { "shutdown", "guest-panicked", "internal-error",
                                        "watchdog", "suspended",      NULL };

    for (const char *const *end = ends; *end; end++)
        if (!strcmp(status, *end))
            return true;
    return false;
}

bool qemu_is_left_alone(struct qemu_guest *vm, const struct qmp_status *status)
{
    if (*vm->base.stopped)
        return true;
    if (status->running ||
        !(is_end(status->text) || (!strcmp(status->text, "paused") && !vm->may_pause)))
        return false;
    snprintf(vm->base.stopped, sizeof(vm->base.stopped), "%s (QEMU says '%s')",
             why_stopped(status->text), status->text);
    note_stop(vm);
    return true;
}

bool qemu_check_runs(struct qemu_guest *vm, struct error *err)
{
    size_t told = qmp_run_events(vm->qemu.q);
    struct qmp_status status;

    if (told == vm->heard_runs || vm->paused_ms)
        return true;
    if (!qmp_query_status(vm->qemu.q, &status, err))
        return false;
    vm->heard_runs = told;
    /* We do not pause it before this looks for the last time. */
    if (status.running || !(is_end(status.text) || !strcmp(status.text, "paused")))
        return true;
    snprintf(vm->base.stopped, sizeof(vm->base.stopped), "%s (QEMU says '%s')",
             why_stopped(status.text), status.text);
    note_stop(vm);
    return error_set(err, ERROR_SYSTEM, "the guest does not run any more: %s", vm->base.stopped);
}

static bool is_by_guest(const cJSON *data, const void *unused)
{
    (void)unused;
    return json_true(data, "guest");
}

static const char *why_ended(struct qemu_guest *vm)
{
    size_t mark = 0;

    if (!vm->qemu.q || !qmp_has_told(vm->qemu.q, 0, "SHUTDOWN"))
        return "its QEMU has ended";
    if (qmp_find_event(vm->qemu.q, &mark, "SHUTDOWN", is_by_guest, NULL))
        return "it has turned itself off";
    return "somebody has ended its QEMU";
}

void qemu_guest_has_ended(struct qemu_guest *vm)
{
    char images[384];

    if (*vm->base.stopped || vm->destroyed)
        return;
    image_fence_names(cJSON_GetObjectItemCaseSensitive(vm->facts, "images"), images,
                      sizeof(images));
    snprintf(vm->base.stopped, sizeof(vm->base.stopped), "%s%s%s", why_ended(vm),
             *images ? "; its disks are here: " : "", images);
    note_stop(vm);
}

/* ---- the source, after it was paused ---- */

void qemu_guest_mark(struct guest *guest, cJSON *fact)
{
    struct qemu_guest *vm = qemu_guest_of(guest);
    cJSON *images = cJSON_AddArrayToObject(fact, "images");

    for (size_t i = 0; i < vm->disk_count; i++)
        image_mark_add(images, vm->disks[i].paths[0]);
    qemu_add_cpus(&vm->qemu, fact);
    cJSON_Delete(vm->drained);
    vm->drained = cJSON_Duplicate(fact, true);
}

bool qemu_guest_is_unwritten(struct guest *guest, const cJSON *fact, struct error *err)
{
    (void)guest;
    return image_marks_hold(cJSON_GetObjectItemCaseSensitive(fact, "images"), err);
}

static bool paused_source_is_unchanged(struct qemu_guest *vm, struct error *err)
{
    if (qemu_is_watched(&vm->qemu) ? qemu_is_calm(&vm->qemu)
                                   : qemu_cpus_are_as(&vm->qemu, vm->drained, err))
        return true;
    if (!qemu_is_watched(&vm->qemu) && err->kind != ERROR_REFUSED)
        return false;
    return error_set(err, ERROR_REFUSED,
                     "somebody has let the guest run here, or reset it, after it was paused to be "
                     "handed over: another program is connected to a monitor of QEMU's");
}

bool qemu_guest_unchanged(struct guest *guest, struct error *err)
{
    struct qemu_guest *vm = qemu_guest_of(guest);

    switch (qemu_run_state(&vm->qemu)) {
    case RUN_PAUSED:
        return paused_source_is_unchanged(vm, err);
    case RUN_GONE:
        return qemu_nobody_else(guest, err) && qemu_guest_is_unwritten(guest, vm->drained, err);
    case RUN_RUNNING:
        return error_set(err, ERROR_REFUSED,
                         "somebody has let the guest run here after it was paused to be handed "
                         "over: another program is connected to a monitor of QEMU's");
    case RUN_UNKNOWN:
        break;
    }
    return error_set(err, ERROR_TIMEOUT,
                     "whether the guest has run here since it was paused cannot be asked");
}

static void note_run(struct qemu_guest *vm)
{
    struct vm_context *context = &vm->base.context;
    AUTO_JSON cJSON *fact = fact_new(FACT_RAN);

    if (!vm->ran)
        (void)context->note(context->note_arg, fact, NULL);
    vm->ran = true;
}

bool qemu_guest_ran(struct qemu_guest *vm, bool runs, struct error *err)
{
    char images[384];

    if (!runs && !vm->ran && !(qemu_is_watched(&vm->qemu) && !qemu_is_calm(&vm->qemu)))
        return false;
    note_run(vm);
    if (runs)
        (void)qmp_stop(vm->qemu.q, STOP_MS, NULL);
    image_fence_names(cJSON_GetObjectItemCaseSensitive(vm->facts, "images"), images,
                      sizeof(images));
    error_set(err, ERROR_REFUSED,
              "somebody has let the old copy here (process %d) run after the VM was handed over: "
              "it is paused, and was not ended, for what it has written since is nowhere else "
              "(%s). Look at it, end its QEMU, and run 'xmig recover %s'",
              (int)vm->qemu.pid, images, vm->base.context.id);
    return true;
}

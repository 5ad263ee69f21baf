/* What happens to the guest's run state by another hand than ours: a second monitor's `stop` and
 * `cont`, a guest that turns itself off or panics. QEMU tells it as events to who is connected;
 * what happened before is told by the time that its vCPUs have run.
 */
#include <inttypes.h>
#include <stdio.h>

#include "host/images/image-fence.h"
#include "host/images/image-mark.h"
#include "host/qemu/qemu.h"
#include "xmig/process.h"

enum {
    STOP_MS = 60000, /* every disk is flushed */
    /* What a vCPU's thread needs to be woken and sent to sleep again, as queries do. */
    IDLE_NS = 5000000,
};

/* ---- under our eyes ---- */

void qemu_watch(struct qemu *vm)
{
    vm->watched = true;
    vm->calm = qmp_run_events(vm->q);
}

static bool is_watched(const struct qemu *vm)
{
    return vm->watched && vm->q && !qmp_lost(vm->q, NULL);
}

static bool is_calm(const struct qemu *vm)
{
    return vm->calm == qmp_run_events(vm->q);
}

/* ---- by what its vCPUs have run ---- */

static bool read_ns(pid_t pid, uint64_t tid, uint64_t *ns)
{
    char path[64];
    FILE *file;
    bool ok;

    snprintf(path, sizeof(path), "/proc/%d/task/%" PRIu64 "/schedstat", (int)pid, tid);
    file = fopen(path, "re");
    ok = file && fscanf(file, "%" SCNu64, ns) == 1;
    if (file)
        fclose(file);
    return ok;
}

/* As text: a double would not hold them. */
static void add_cpu(cJSON *cpus, pid_t pid, uint64_t tid)
{
    cJSON *cpu;
    char text[24];
    uint64_t ns;

    if (!read_ns(pid, tid, &ns))
        return;
    cpu = must(cJSON_CreateObject());
    json_add_uint(cpu, "tid", tid);
    snprintf(text, sizeof(text), "%" PRIu64, ns);
    cJSON_AddStringToObject(cpu, "ran_ns", text);
    cJSON_AddItemToArray(cpus, cpu);
}

static void add_cpus(struct qemu *vm, cJSON *facts)
{
    AUTO_JSON cJSON *answer = NULL;
    const cJSON *cpu;
    cJSON *cpus;

    if (!qmp_call(vm->q, "query-cpus-fast", NULL, &answer, NULL))
        return;
    cpus = cJSON_AddArrayToObject(facts, "cpus");
    cJSON_ArrayForEach (cpu, answer)
        add_cpu(cpus, vm->pid, json_uint_or(cpu, "thread-id", 0));
}

/* Sound for a QEMU that lives: a vCPU that has run a guest has used its thread's time. */
static bool cpus_are_as(const struct qemu *vm, const cJSON *facts, struct error *err)
{
    const cJSON *cpus = cJSON_GetObjectItemCaseSensitive(facts, "cpus");
    const cJSON *cpu;
    uint64_t now;

    if (cJSON_GetArraySize(cpus) == 0)
        return error_set(err, ERROR_SYSTEM, "how long its vCPUs had run was not noted");
    cJSON_ArrayForEach (cpu, cpus) {
        uint64_t then = strtoull(json_string_or(cpu, "ran_ns", "0"), NULL, 10);

        if (!read_ns(vm->pid, json_uint_or(cpu, "tid", 0), &now) || now > then + IDLE_NS)
            return error_set(err, ERROR_REFUSED, "its vCPUs have run since");
    }
    return true;
}

/* ---- the source, before it is paused ---- */

static void note_stop(struct qemu *vm)
{
    struct host_context *context = &vm->base.context;
    AUTO_JSON cJSON *fact = must(cJSON_CreateObject());

    cJSON_AddStringToObject(fact, "fact", "stopped");
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

bool qemu_is_left_alone(struct qemu *vm, const struct qmp_status *status)
{
    if (*vm->base.stopped)
        return true;
    if (status->running ||
        !(is_end(status->text) || (!strcmp(status->text, "paused") && !vm->source.may_pause)))
        return false;
    snprintf(vm->base.stopped, sizeof(vm->base.stopped), "%s (QEMU says '%s')",
             why_stopped(status->text), status->text);
    note_stop(vm);
    return true;
}

bool qemu_check_runs(struct qemu *vm, struct error *err)
{
    size_t told = qmp_run_events(vm->q);
    struct qmp_status status;

    if (told == vm->source.heard_runs || vm->source.paused_ms)
        return true;
    if (!qmp_query_status(vm->q, &status, err))
        return false;
    vm->source.heard_runs = told;
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

static const char *why_ended(struct qemu *vm)
{
    size_t mark = 0;

    if (!vm->q || !qmp_has_told(vm->q, 0, "SHUTDOWN"))
        return "its QEMU has ended";
    if (qmp_find_event(vm->q, &mark, "SHUTDOWN", is_by_guest, NULL))
        return "it has turned itself off";
    return "somebody has ended its QEMU";
}

void qemu_source_has_ended(struct qemu *vm)
{
    char images[384];

    if (*vm->base.stopped || vm->source.destroyed)
        return;
    image_fence_names(cJSON_GetObjectItemCaseSensitive(vm->source.facts, "images"), images,
                      sizeof(images));
    snprintf(vm->base.stopped, sizeof(vm->base.stopped), "%s%s%s", why_ended(vm),
             *images ? "; its disks are here: " : "", images);
    note_stop(vm);
}

/* ---- the source, after it was paused ---- */

void qemu_source_mark(struct host *host, cJSON *fact)
{
    struct qemu *vm = qemu_of(host);
    cJSON *images = cJSON_AddArrayToObject(fact, "images");

    for (size_t i = 0; i < vm->source.disk_count; i++)
        image_mark_add(images, vm->source.disks[i].paths[0]);
    add_cpus(vm, fact);
    cJSON_Delete(vm->source.drained);
    vm->source.drained = cJSON_Duplicate(fact, true);
}

bool qemu_source_is_unwritten(struct host *host, const cJSON *fact, struct error *err)
{
    (void)host;
    return image_marks_hold(cJSON_GetObjectItemCaseSensitive(fact, "images"), err);
}

static bool paused_source_is_unchanged(struct qemu *vm, struct error *err)
{
    if (is_watched(vm) ? is_calm(vm) : cpus_are_as(vm, vm->source.drained, err))
        return true;
    if (!is_watched(vm) && err->kind != ERROR_REFUSED)
        return false;
    return error_set(err, ERROR_REFUSED,
                     "somebody has let the guest run here, or reset it, after it was paused to be "
                     "handed over: another program is connected to a monitor of QEMU's");
}

bool qemu_source_unchanged(struct host *host, struct error *err)
{
    struct qemu *vm = qemu_of(host);

    switch (qemu_run_state(vm)) {
    case RUN_PAUSED:
        return paused_source_is_unchanged(vm, err);
    case RUN_GONE:
        return qemu_nobody_else(host, err) &&
               qemu_source_is_unwritten(host, vm->source.drained, err);
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

static void note_run(struct qemu *vm)
{
    struct host_context *context = &vm->base.context;
    AUTO_JSON cJSON *fact = must(cJSON_CreateObject());

    cJSON_AddStringToObject(fact, "fact", "ran");
    if (!vm->source.ran)
        (void)context->note(context->note_arg, fact, NULL);
    vm->source.ran = true;
}

bool qemu_source_ran(struct qemu *vm, bool runs, struct error *err)
{
    char images[384];

    if (!runs && !vm->source.ran && !(is_watched(vm) && !is_calm(vm)))
        return false;
    note_run(vm);
    if (runs)
        (void)qmp_stop(vm->q, STOP_MS, NULL);
    image_fence_names(cJSON_GetObjectItemCaseSensitive(vm->source.facts, "images"), images,
                      sizeof(images));
    error_set(err, ERROR_REFUSED,
              "somebody has let the old copy here (process %d) run after the VM was handed over: "
              "it is paused, and was not ended, for what it has written since is nowhere else "
              "(%s). Look at it, end its QEMU, and run 'xmig recover %s'",
              (int)vm->pid, images, vm->base.context.id);
    return true;
}

/* ---- the target's copy ---- */

void qemu_remember_sealed(struct host *host, cJSON *facts)
{
    struct qemu *vm = qemu_of(host);
    cJSON *images = cJSON_AddArrayToObject(facts, "images");
    const cJSON *disk;

    cJSON_ArrayForEach (disk, vm->target.images.disks)
        image_mark_add(images, json_string_or(disk, "image", ""));
    add_cpus(vm, facts);
    cJSON_Delete(vm->target.sealed);
    vm->target.sealed = cJSON_Duplicate(facts, true);
}

static bool paused_copy_never_ran(struct qemu *vm, struct error *err)
{
    qmp_hold(vm->q, true);
    if (is_watched(vm) ? is_calm(vm) : cpus_are_as(vm, vm->target.sealed, err))
        return true;
    return error_set(err, ERROR_REFUSED, "somebody has let the copy here run, or reset it");
}

/* What a dead one has done is in its images, if in anything. */
static bool dead_copy_never_ran(struct qemu *vm, struct error *err)
{
    const cJSON *images = cJSON_GetObjectItemCaseSensitive(vm->target.sealed, "images");
    struct error why = { 0 };

    return image_marks_hold(images, &why) ||
           error_set(err, ERROR_REFUSED, "the copy here is dead, and may have run before: %s",
                     why.text);
}

bool qemu_copy_never_ran(struct host *host, struct error *err)
{
    struct qemu *vm = qemu_of(host);

    switch (qemu_run_state(vm)) {
    case RUN_PAUSED:
        return paused_copy_never_ran(vm, err);
    case RUN_RUNNING:
        qmp_hold(vm->q, true);
        if (!qmp_stop(vm->q, STOP_MS, err))
            return error_prefix(err, "the copy here runs, and cannot be paused");
        return error_set(err, ERROR_REFUSED, "somebody has let the copy here run");
    case RUN_GONE:
        return dead_copy_never_ran(vm, err);
    case RUN_UNKNOWN:
        break;
    }
    return error_set(err, ERROR_TIMEOUT, "whether the copy here has run cannot be asked");
}

/* The source's side while it is moved: its mirrors, its paused copy, and that copy's end. */
#include "host/images/image-fence.h"
#include "host/qemu/qemu.h"
#include "qmp/mirror-guard.h"
#include "qmp/settings.h"
#include "xmig/journal.h"
#include "xmig/process.h"

enum {
    QUIT_MS = 10000,
    KILL_MS = 10000,
    RESUME_MS = 10000,
    POLL_MS = 50,
};

/* ---- facts for the journal ---- */

/* The target has looked at them. */
static void remove_proofs(struct qemu *vm)
{
    const cJSON *proof;

    cJSON_ArrayForEach (proof, vm->source.proofs)
        unlink(proof->valuestring);
    cJSON_Delete(steal(vm->source.proofs));
}

bool qemu_remember(struct host *host, cJSON *facts, struct error *err)
{
    struct qemu *vm = qemu_of(host);
    cJSON *disks = cJSON_AddArrayToObject(facts, "disks");
    const cJSON *fact;
    cJSON *settings = qmp_settings_read(vm->q, err);

    if (!settings)
        return false;
    cJSON_AddItemToObject(facts, "settings", settings);
    remove_proofs(vm);
    json_add_uint(facts, "qemu_pid", (uint64_t)vm->pid);
    json_add_uint(facts, "start_time", vm->start_time);
    json_add_uint(facts, "uid", vm->source.process.uid);
    cJSON_AddStringToObject(facts, "socket", vm->socket);
    for (size_t i = 0; i < vm->source.disk_count; i++)
        cJSON_AddItemToArray(disks, must(cJSON_CreateString(vm->source.disks[i].name)));
    cJSON_ArrayForEach (fact, vm->source.facts)
        cJSON_AddItemToObject(facts, fact->string, cJSON_Duplicate(fact, true));
    cJSON_Delete(vm->source.facts);
    vm->source.facts = cJSON_Duplicate(facts, true);
    return true;
}

static void take_record(struct qemu *vm, const cJSON *record)
{
    const char *fact = json_string_or(record, "fact", "");

    if (!strcmp(json_string_or(record, "record", ""), record_name(RECORD_PAUSING)))
        vm->source.may_pause = true;
    if (!strcmp(fact, "stopped"))
        snprintf(vm->base.stopped, sizeof(vm->base.stopped), "%s",
                 json_string_or(record, "why", ""));
    if (!strcmp(fact, "ran"))
        vm->source.ran = true;
    if (!strcmp(fact, "drained")) {
        cJSON_Delete(vm->source.drained);
        vm->source.drained = cJSON_Duplicate(record, true);
    }
}

bool qemu_source_reattach(struct qemu *vm, const cJSON *records, const cJSON *fact,
                          struct error *err)
{
    const cJSON *record;
    const char *socket = json_string(fact, "socket", err);
    uint64_t pid;

    if (!socket || !json_uint(fact, "qemu_pid", &pid, err) ||
        !json_uint(fact, "start_time", &vm->start_time, err))
        return error_prefix(err, "the journal");
    vm->pid = (pid_t)pid;
    vm->socket = must(strdup(socket));
    vm->source.process.uid = (uid_t)json_uint_or(fact, "uid", 0);
    vm->source.facts = cJSON_Duplicate(fact, true);
    vm->source.reattached = true;
    cJSON_ArrayForEach (record, records)
        take_record(vm, record);
    return true;
}

/* ---- mirrors ---- */

bool qemu_mirror_start(struct host *host, const char *disk, const char *path, struct error *err)
{
    struct qemu *vm = qemu_of(host);
    const struct source_disk *source = source_disk_find(&vm->source, disk);
    struct error why = { 0 };
    struct qmp_mirror mirror = {
        .id = host->context.id,
        .disk = disk,
        .socket = path,
        .target_is_zero = true,
    };

    if (!source)
        return error_set(err, ERROR_SYSTEM, "the VM has no disk '%s'", disk);
    mirror.device = source->device;
    mirror.size = source->size;
    mirror.full = source->full;
    if (!qemu_let_in(vm, path, vm->source.process.uid, err) ||
        !qmp_mirror_start(vm->q, &mirror, err))
        return false;
    if (!mirror_guard(vm->q, mirror.id, disk, mirror.device, &why))
        event_say(&host->context.events, EVENT_DEBUG, NULL, "the mirror of %s is not guarded: %s",
                  disk, why.text);
    return true;
}

/* QEMU says what failed, and not on which host. */
static bool tell_way(struct qemu *vm, const char *name, struct error *err)
{
    const struct source_disk *disk = source_disk_find(&vm->source, name);

    return disk && err && err->kind == ERROR_SYSTEM &&
           error_append(err, " (from '%s' here to '%s' at the target)", disk->paths[0],
                        disk->target);
}

bool qemu_mirror_state(struct host *host, const char *disk, struct mirror_state *state,
                       struct error *err)
{
    struct qmp_mirror_state now;

    if (!qemu_check_runs(qemu_of(host), err) ||
        !(qmp_mirror_state(qemu_of(host)->q, host->context.id, disk, &now, err) ||
          tell_way(qemu_of(host), disk, err)))
        return false;
    *state = (struct mirror_state){ now.ready, now.done, now.total, now.zeroed };
    return true;
}

bool qemu_mirror_wait(struct host *host, uint64_t timeout_ms, struct error *err)
{
    struct qemu *vm = qemu_of(host);

    return qmp_mirror_wait(vm->q, &vm->source.heard, timeout_ms, err);
}

void qemu_mirror_stop(struct host *host, const char *disk)
{
    struct qemu *vm = qemu_of(host);
    struct error err = { 0 };

    if (qemu_run_state(vm) != RUN_GONE && qemu_reconnect(vm, &err) &&
        !qmp_mirror_stop(vm->q, host->context.id, disk, &err))
        event_say(&host->context.events, EVENT_WARNING, NULL, "%s", err.text);
}

/* A dead xmig's mirrors go on without it. */
static void stop_leftover_mirrors(struct qemu *vm)
{
    const cJSON *disk;

    cJSON_ArrayForEach (disk, cJSON_GetObjectItemCaseSensitive(vm->source.facts, "disks"))
        if (cJSON_IsString(disk))
            qemu_mirror_stop(&vm->base, disk->valuestring);
}

/* ---- the paused copy ---- */

enum run_state qemu_source_state(struct host *host)
{
    struct qemu *vm = qemu_of(host);
    enum run_state state = qemu_run_state(vm);

    if (state == RUN_GONE)
        qemu_source_has_ended(vm);
    return state;
}

/* QEMU lets the guest go on by itself when it gives up a migration, a moment later. */
static bool make_run(struct qemu *vm, struct error *err)
{
    const cJSON *images = cJSON_GetObjectItemCaseSensitive(vm->source.facts, "images");
    uint64_t deadline = loop_now_ms() + RESUME_MS;
    struct qmp_status status = { 0 };

    for (;;) {
        if (!qmp_query_status(vm->q, &status, err))
            return false;
        if (status.running || qemu_is_left_alone(vm, &status))
            return true;
        if (loop_now_ms() >= deadline)
            return error_set(err, ERROR_TIMEOUT, "QEMU does not run the VM again: it is '%s'",
                             status.text);
        if (strcmp(status.text, "finish-migrate") != 0 &&
            (!image_fence_names_hold(images, err) || !qmp_cont(vm->q, err)))
            return false;
        if (!loop_pause(vm->base.context.loop, POLL_MS, err))
            return false;
    }
}

/* Another tool's are its own again. */
static void restore_settings(struct qemu *vm)
{
    const cJSON *settings = cJSON_GetObjectItemCaseSensitive(vm->source.facts, "settings");
    struct error err = { 0 };

    if (!settings || (!vm->source.has_set && !vm->source.reattached))
        return;
    if (!qmp_settings_restore(vm->q, settings, &err))
        event_say(&vm->base.context.events, EVENT_WARNING, NULL,
                  "QEMU's capabilities and parameters of migration are not what they were: %s",
                  err.text);
    vm->source.has_set = false;
}

bool qemu_source_resume(struct host *host, struct error *err)
{
    struct qemu *vm = qemu_of(host);

    if (qemu_run_state(vm) == RUN_GONE) {
        qemu_source_has_ended(vm);
        return true;
    }
    if (!qemu_reconnect(vm, err) || !qemu_ram_cancel(vm, err) || !make_run(vm, err))
        return error_prefix(err, "cannot let the VM go on");
    restore_settings(vm);
    if (vm->source.reattached)
        stop_leftover_mirrors(vm);
    vm->source.paused_ms = vm->source.sending_ms = 0;
    return true;
}

static bool end_process(struct qemu *vm, struct error *err)
{
    struct error why = { 0 };

    if (vm->q)
        qmp_guard(vm->q, false);
    if (qemu_reconnect(vm, &why) && qmp_quit(vm->q, &why) && qemu_await_end(vm, QUIT_MS))
        return true;
    return process_kill(vm->pid, vm->start_time, KILL_MS, err);
}

bool qemu_source_destroy(struct host *host, struct error *err)
{
    struct qemu *vm = qemu_of(host);
    enum run_state state;

    if (vm->q)
        qmp_guard(vm->q, false);
    state = qemu_run_state(vm);
    if (state != RUN_GONE &&
        (qemu_source_ran(vm, state == RUN_RUNNING, err) || !end_process(vm, err)))
        return false;
    vm->source.destroyed = true;
    qemu_fence_tell(vm);
    return true;
}

void qemu_source_done(struct qemu *vm)
{
    remove_proofs(vm);
    cJSON_Delete(vm->source.facts);
    cJSON_Delete(vm->source.drained);
    source_disks_done(&vm->source);
    argv_result_done(&vm->source.argv);
    cJSON_Delete(vm->source.present);
    cJSON_Delete(vm->source.media);
    qemu_process_done(&vm->source.process);
    free(vm->source.name);
    free(vm->source.machine);
    vm->source = (struct source){ 0 };
}

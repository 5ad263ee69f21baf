/* The source's side while it is moved: its mirrors, its paused copy, and that copy's end. */
#include "host/images/disk-device.h"
#include "host/images/image-fence.h"
#include "host/qemu/guest/guest.h"
#include "qmp/mirror-guard.h"
#include "qmp/settings.h"
#include "xmig/journal.h"
#include "xmig/process.h"
#include "xmig/facts.h"

enum {
    QUIT_MS = 10000,
    KILL_MS = 10000,
    RESUME_MS = 10000,
    POLL_MS = 50,
};

/* ---- facts for the journal ---- */

/* The target has looked at them. */
static void remove_proofs(struct qemu_guest *vm)
{
    const cJSON *proof;

    cJSON_ArrayForEach (proof, vm->proofs)
        unlink(proof->valuestring);
    cJSON_Delete(steal(vm->proofs));
}

bool qemu_remember(struct guest *guest, cJSON *facts, struct error *err)
{
    struct qemu_guest *vm = qemu_guest_of(guest);
    cJSON *disks = cJSON_AddArrayToObject(facts, "disks");
    const cJSON *fact;
    cJSON *settings = qmp_settings_read(vm->qemu.q, err);

    if (!settings)
        return false;
    cJSON_AddItemToObject(facts, "settings", settings);
    remove_proofs(vm);
    json_add_uint(facts, "qemu_pid", (uint64_t)vm->qemu.pid);
    json_add_uint(facts, "start_time", vm->qemu.start_time);
    json_add_uint(facts, "uid", vm->process.uid);
    cJSON_AddStringToObject(facts, "socket", vm->qemu.socket);
    for (size_t i = 0; i < vm->disk_count; i++)
        cJSON_AddItemToArray(disks, must(cJSON_CreateString(vm->disks[i].params.name)));
    cJSON_ArrayForEach (fact, vm->facts)
        cJSON_AddItemToObject(facts, fact->string, cJSON_Duplicate(fact, true));
    cJSON_Delete(vm->facts);
    vm->facts = cJSON_Duplicate(facts, true);
    return true;
}

static void take_record(struct qemu_guest *vm, const cJSON *record)
{
    enum fact fact = fact_of(record);

    if (!strcmp(json_string_or(record, "record", ""), record_name(RECORD_PAUSING)))
        vm->may_pause = true;
    if (fact == FACT_STOPPED)
        snprintf(vm->base.stopped, sizeof(vm->base.stopped), "%s",
                 json_string_or(record, "why", ""));
    if (fact == FACT_RAN)
        vm->ran = true;
    if (fact == FACT_DRAINED) {
        cJSON_Delete(vm->drained);
        vm->drained = cJSON_Duplicate(record, true);
    }
}

bool qemu_guest_reattach(struct qemu_guest *vm, const cJSON *records, const cJSON *fact,
                         struct error *err)
{
    const cJSON *record;
    const char *socket = json_string(fact, "socket", err);
    uint64_t pid;

    if (!socket || !json_uint(fact, "qemu_pid", &pid, err) ||
        !json_uint(fact, "start_time", &vm->qemu.start_time, err))
        return error_prefix(err, "the journal");
    vm->qemu.pid = (pid_t)pid;
    vm->qemu.socket = must(strdup(socket));
    vm->process.uid = (uid_t)json_uint_or(fact, "uid", 0);
    vm->facts = cJSON_Duplicate(fact, true);
    vm->reattached = true;
    cJSON_ArrayForEach (record, records)
        take_record(vm, record);
    return true;
}

/* ---- mirrors ---- */

bool qemu_mirror_start(struct guest *guest, const char *disk, const char *path, struct error *err)
{
    struct qemu_guest *vm = qemu_guest_of(guest);
    const struct source_disk *source = source_disk_find(vm, disk);
    struct qmp_mirror mirror = {
        .id = guest->context.id,
        .disk = disk,
        .socket = path,
    };

    if (!source)
        return error_set(err, ERROR_SYSTEM, "the VM has no disk '%s'", disk);
    mirror.device = source->device;
    mirror.size = source->params.size;
    mirror.full = source->params.full;
    mirror.target_is_zero = !disk_device_is(source->params.image);
    return qemu_let_in(&vm->qemu, path, vm->process.uid, err) &&
           qmp_mirror_start(vm->qemu.q, &mirror, err);
}

void qemu_mirror_guard(struct guest *guest, const char *disk)
{
    struct qemu_guest *vm = qemu_guest_of(guest);
    struct error why = { 0 };

    if (!mirror_guard(vm->qemu.q, guest->context.id, disk, source_disk_find(vm, disk)->device,
                      &why))
        event_say(&guest->context.events, EVENT_DEBUG, NULL, "the mirror of %s is not guarded: %s",
                  disk, why.text);
}

/* QEMU says what failed, and not on which host. */
static bool tell_way(struct qemu_guest *vm, const char *name, struct error *err)
{
    const struct source_disk *disk = source_disk_find(vm, name);

    return disk && err && err->kind == ERROR_SYSTEM &&
           error_append(err, " (from '%s' here to '%s' at the target)", disk->paths[0],
                        disk->params.image);
}

bool qemu_mirror_state(struct guest *guest, const char *disk, struct mirror_state *state,
                       struct error *err)
{
    struct qmp_mirror_state now;

    if (!qemu_check_runs(qemu_guest_of(guest), err) ||
        !(qmp_mirror_state(qemu_guest_of(guest)->qemu.q, guest->context.id, disk, &now, err) ||
          tell_way(qemu_guest_of(guest), disk, err)))
        return false;
    *state = (struct mirror_state){ now.ready, now.done, now.total, now.zeroed };
    return true;
}

bool qemu_mirror_wait(struct guest *guest, uint64_t timeout_ms, struct error *err)
{
    struct qemu_guest *vm = qemu_guest_of(guest);

    return qmp_mirror_wait(vm->qemu.q, &vm->heard, timeout_ms, err);
}

void qemu_mirror_stop(struct guest *guest, const char *disk)
{
    struct qemu_guest *vm = qemu_guest_of(guest);
    struct error err = { 0 };

    if (qemu_run_state(&vm->qemu) != RUN_GONE && qemu_reconnect(&vm->qemu, &err) &&
        !qmp_mirror_stop(vm->qemu.q, guest->context.id, disk, &err))
        event_say(&guest->context.events, EVENT_WARNING, NULL, "%s", err.text);
}

/* A dead xmig's mirrors go on without it. */
static void stop_leftover_mirrors(struct qemu_guest *vm)
{
    const cJSON *disk;

    cJSON_ArrayForEach (disk, cJSON_GetObjectItemCaseSensitive(vm->facts, "disks"))
        if (cJSON_IsString(disk))
            qemu_mirror_stop(&vm->base, disk->valuestring);
}

/* ---- the paused copy ---- */

enum run_state qemu_guest_state(struct guest *guest)
{
    struct qemu_guest *vm = qemu_guest_of(guest);
    enum run_state state = qemu_run_state(&vm->qemu);

    if (state == RUN_GONE)
        qemu_guest_has_ended(vm);
    return state;
}

/* QEMU lets the guest go on by itself when it gives up a migration, a moment later. */
static bool make_run(struct qemu_guest *vm, struct error *err)
{
    const cJSON *images = cJSON_GetObjectItemCaseSensitive(vm->facts, "images");
    uint64_t deadline = loop_now_ms() + RESUME_MS;
    struct qmp_status status = { 0 };

    for (;;) {
        if (!qmp_query_status(vm->qemu.q, &status, err))
            return false;
        if (status.running || qemu_is_left_alone(vm, &status))
            return true;
        if (loop_now_ms() >= deadline)
            return error_set(err, ERROR_TIMEOUT, "QEMU does not run the VM again: it is '%s'",
                             status.text);
        if (strcmp(status.text, "finish-migrate") != 0 &&
            (!image_fence_names_hold(images, err) || !qmp_cont(vm->qemu.q, err)))
            return false;
        if (!loop_pause(vm->base.context.loop, POLL_MS, err))
            return false;
    }
}

/* Another tool's are its own again. */
static void restore_settings(struct qemu_guest *vm)
{
    const cJSON *settings = cJSON_GetObjectItemCaseSensitive(vm->facts, "settings");
    struct error err = { 0 };

    if (!settings || (!vm->has_set && !vm->reattached))
        return;
    if (!qmp_settings_restore(vm->qemu.q, settings, &err))
        event_say(&vm->base.context.events, EVENT_WARNING, NULL,
                  "QEMU's capabilities and parameters of migration are not what they were: %s",
                  err.text);
    vm->has_set = false;
}

bool qemu_guest_resume(struct guest *guest, struct error *err)
{
    struct qemu_guest *vm = qemu_guest_of(guest);

    if (qemu_run_state(&vm->qemu) == RUN_GONE) {
        qemu_guest_has_ended(vm);
        return true;
    }
    if (!qemu_reconnect(&vm->qemu, err) || !qemu_ram_cancel(vm, err) || !make_run(vm, err))
        return error_prefix(err, "cannot let the VM go on");
    restore_settings(vm);
    if (vm->reattached)
        stop_leftover_mirrors(vm);
    vm->paused_ms = vm->sending_ms = 0;
    return true;
}

static bool end_process(struct qemu_guest *vm, struct error *err)
{
    struct error why = { 0 };

    if (vm->qemu.q)
        qmp_guard(vm->qemu.q, false);
    if (qemu_reconnect(&vm->qemu, &why) && qmp_quit(vm->qemu.q, &why) &&
        qemu_await_end(&vm->qemu, QUIT_MS))
        return true;
    return process_kill(vm->qemu.pid, vm->qemu.start_time, KILL_MS, err);
}

bool qemu_guest_destroy(struct guest *guest, struct error *err)
{
    struct qemu_guest *vm = qemu_guest_of(guest);
    const cJSON *note;
    enum run_state state;

    if (vm->qemu.q)
        qmp_guard(vm->qemu.q, false);
    state = qemu_run_state(&vm->qemu);
    if (state != RUN_GONE &&
        (qemu_guest_ran(vm, state == RUN_RUNNING, err) || !end_process(vm, err)))
        return false;
    vm->destroyed = true;
    qemu_fence_tell(vm);
    qemu_managed_tell(vm);
    cJSON_ArrayForEach (note, vm->argv.notes)
        event_say(&guest->context.events, EVENT_NOTE, NULL, "%s", note->valuestring);
    return true;
}

void qemu_guest_done(struct qemu_guest *vm)
{
    remove_proofs(vm);
    cJSON_Delete(vm->facts);
    cJSON_Delete(vm->drained);
    source_disks_done(vm);
    argv_result_done(&vm->argv);
    cJSON_Delete(vm->present);
    cJSON_Delete(vm->media);
    qemu_process_done(&vm->process);
    service_done(&vm->service);
    cJSON_Delete(vm->managers);
    free(vm->name);
    free(vm->machine);
}

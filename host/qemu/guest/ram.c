/* Sends the guest's RAM: passes while the guest runs, then pause it, drain the disks, and send the
 * rest and the device state. Any other order loses writes.
 */
#include <inttypes.h>
#include <stdio.h>

#include "host/images/image-contents.h"
#include "host/qemu/guest/machine.h"
#include "qmp/settings.h"

/* With the guest paused --max-pause is shorter, as a rule: these are for when it is not. */
enum {
    POLL_MS = 50,
    STALL_MS = 30000,        /* RAM without progress */
    PAUSED_STALL_MS = 10000, /* … with the guest paused, which --max-pause does not count */
    STOP_MS = 60000,         /* to pause: every disk is flushed */
    DRAIN_STALL_MS = 30000,  /* the mirrors' rest, without progress */
    DEVICE_MS = 20000,       /* device state, besides what is left of RAM */
    CANCEL_MS = 20000,
    SETUP_MS = 2000,  /* for QEMU to set a migration up */
    ANSWER_MS = 3000, /* a QEMU that does not answer so long is stuck in its stream */
    SLOWEST_BYTES_PER_MS = 10 * 1024, /* what a stream of zeroes is measured at means nothing */
};

static const char *const capabilities[] = { "events", "pause-before-switchover", "return-path",
                                            NULL };

static const char *const bitmap_capabilities[] = { "events", "pause-before-switchover",
                                                   "return-path", "dirty-bitmaps", NULL };

/* ---- preparation ---- */

/* With no downtime allowed QEMU goes on until nothing is left of the first pass. Then it pauses
 * the guest, and only then looks what was written meanwhile: it never looks while the guest
 * runs, which is when, without KVM, it would lose track of writes.
 */
static bool has_bitmaps(const struct qemu_guest *vm)
{
    for (size_t i = 0; i < vm->disk_count; i++)
        if (cJSON_GetArraySize(vm->disks[i].params.bitmaps) > 0)
            return true;
    return false;
}

static void add_bitmaps(const struct qemu_guest *vm, cJSON *parameters)
{
    cJSON *mapping = cJSON_AddArrayToObject(parameters, "block-bitmap-mapping");

    for (size_t i = 0; i < vm->disk_count; i++) {
        const struct source_disk *disk = &vm->disks[i];

        if (cJSON_GetArraySize(disk->params.bitmaps) > 0)
            image_contents_map(mapping, disk->node, disk->params.name, disk->params.bitmaps);
    }
}

static bool put_settings(struct qemu_guest *vm, struct error *err)
{
    const uint64_t no_limit = UINT64_C(1) << 40;
    const struct vm_options *options = &vm->base.context.options;
    bool live = vm->ram == RAM_LIVE;
    cJSON *parameters = must(cJSON_CreateObject());

    json_add_uint(parameters, "max-bandwidth", no_limit);
    json_add_uint(parameters, "downtime-limit", live ? options->max_downtime_ms : 0);
    if (has_bitmaps(vm))
        add_bitmaps(vm, parameters);
    vm->has_set = true;
    return qmp_settings_put(vm->qemu.q, has_bitmaps(vm) ? bitmap_capabilities : capabilities,
                            parameters, cJSON_GetObjectItemCaseSensitive(vm->facts, "settings"),
                            err);
}

static void tell_downtime(struct qemu_guest *vm, const char *part, uint64_t since_ms)
{
    uint64_t now_ms = loop_now_ms();

    event_emit(&vm->base.context.events, (struct event){ .kind = EVENT_DOWNTIME,
                                                         .subject = part,
                                                         .elapsed_ms = now_ms - since_ms,
                                                         .at_ms = now_ms });
}

/* Pause the guest, and send RAM then. */
static bool stop_for_ram(struct qemu_guest *vm, struct error *err)
{
    vm->paused_ms = loop_now_ms();
    if (!qmp_stop(vm->qemu.q, STOP_MS, err))
        return false;
    vm->ram_since_ms = loop_now_ms();
    return true;
}

static void end_of_ram_pass(struct qemu_guest *vm)
{
    if (vm->ram_since_ms)
        vm->ram_ms = loop_now_ms() - vm->ram_since_ms;
    vm->ram_since_ms = 0;
}

static bool about_to_pause(struct qemu_guest *vm, const struct ram_hooks *hooks, struct error *err)
{
    if (!qemu_check_runs(vm, err) || !hooks->pausing(hooks->arg, err))
        return false;
    vm->may_pause = true;
    return true;
}

static bool stop_first(struct qemu_guest *vm, struct error *err)
{
    return vm->ram != RAM_STOPPED || stop_for_ram(vm, err);
}

/* When QEMU paused the guest for the move. 0: it did not, or a disk error stopped the guest. */
static uint64_t paused_since(const struct qemu_guest *vm)
{
    uint64_t stopped_ms;

    if (vm->paused_ms || !vm->sending_ms || !vm->qemu.q)
        return vm->paused_ms;
    stopped_ms = qmp_last_event_ms(vm->qemu.q, "STOP");
    if (stopped_ms < vm->sending_ms || qmp_last_event_ms(vm->qemu.q, "RESUME") >= stopped_ms ||
        qmp_last_event_ms(vm->qemu.q, "BLOCK_IO_ERROR") >= vm->sending_ms)
        return 0;
    return stopped_ms;
}

/* ---- while the stream runs ---- */

struct progress {
    size_t passes; /* a mark for MIGRATION_PASS events */
    bool warned;
    bool lets_bitmaps_go;
    uint64_t remaining; /* of RAM, when last looked */
    uint64_t begun_ms;
    uint64_t bytes_per_ms; /* so far, on average */
    uint64_t transferred;
    uint64_t moved_ms; /* when it last changed */
};

/* The caller frees the array. */
static const char **names_of_mirrored(const struct qemu_guest *vm, size_t *count)
{
    const char **names;

    *count = vm->base.context.options.mirrors_disks ? vm->disk_count : 0;
    names = must(calloc(*count + 1, sizeof(*names)));
    for (size_t i = 0; i < *count; i++)
        names[i] = vm->disks[i].params.name;
    return names;
}

static bool check_mirrors(struct qemu_guest *vm, struct error *err)
{
    size_t count;
    AUTO_FREE const char **names = names_of_mirrored(vm, &count);
    uint64_t debt;

    return count == 0 ||
           qmp_mirrors_debt(vm->qemu.q, vm->base.context.id, names, count, &debt, err);
}

/* Pausing the guest flushes all disks, also the mirrors', and holds RAM up meanwhile. */
static bool is_sending(const struct qemu_guest *vm)
{
    return vm->ram == RAM_STOPPED || !paused_since(vm);
}

static bool follow(struct qemu_guest *vm, struct progress *progress, struct error *err)
{
    AUTO_JSON cJSON *migration = qmp_query_migrate(vm->qemu.q, err);
    const cJSON *ram = cJSON_GetObjectItemCaseSensitive(migration, "ram");
    uint64_t total = json_uint_or(ram, "total", 0);
    uint64_t remaining = json_uint_or(ram, "remaining", 0);
    uint64_t transferred = json_uint_or(ram, "transferred", 0);
    uint64_t stall_ms = vm->ram_since_ms ? PAUSED_STALL_MS : STALL_MS;
    uint64_t bytes_per_ms;

    if (!migration)
        return false;
    if (!qemu_check_runs(vm, err))
        return false;
    if (transferred != progress->transferred || progress->moved_ms == 0)
        progress->moved_ms = loop_now_ms();
    progress->transferred = transferred;
    progress->remaining = total > 0 ? remaining : UINT64_MAX;
    bytes_per_ms = transferred / (loop_now_ms() - progress->begun_ms + 1);
    if (bytes_per_ms > SLOWEST_BYTES_PER_MS && is_sending(vm))
        progress->bytes_per_ms = bytes_per_ms;
    if (loop_now_ms() - progress->moved_ms > stall_ms)
        return error_set(err, ERROR_TIMEOUT,
                         "the RAM stream has made no progress for %" PRIu64 " s", stall_ms / 1000);
    event_emit(&vm->base.context.events,
               (struct event){ .kind = EVENT_PROGRESS,
                               .subject = "ram",
                               .done = total > remaining ? total - remaining : 0,
                               .total = total,
                               .sent = transferred,
                               .dirty_rate = json_uint_or(ram, "dirty-pages-rate", 0) *
                                             json_uint_or(ram, "page-size", 0) });
    return check_mirrors(vm, err);
}

static bool is_late_pass(const cJSON *data, const void *least)
{
    return json_uint_or(data, "pass", 0) >= *(const uint64_t *)least;
}

/* Has pass number `pass` begun? */
static bool has_begun(struct qemu_guest *vm, struct progress *progress, uint64_t pass)
{
    return qmp_wait_event(vm->qemu.q, &progress->passes, "MIGRATION_PASS", is_late_pass, &pass, 1,
                          NULL) != NULL;
}

/* Bitmaps are sent at the very end. With no downtime allowed QEMU would wait for ever for them to
 * become fewer.
 */
static bool let_bitmaps_go(struct qemu_guest *vm, struct progress *progress, struct error *err)
{
    enum {
        ENOUGH_MS = 60000
    };
    cJSON *parameters;

    if (vm->ram == RAM_LIVE || progress->lets_bitmaps_go || progress->remaining > 0 ||
        !has_bitmaps(vm))
        return true;
    if (!vm->paused_ms && !stop_for_ram(vm, err))
        return false;
    progress->lets_bitmaps_go = true;
    parameters = must(cJSON_CreateObject());
    json_add_uint(parameters, "downtime-limit", ENOUGH_MS);
    return qmp_set_parameters(vm->qemu.q, parameters, err);
}

/* A QEMU that would begin a second pass is told to pause the guest now. */
static bool check_passes(struct qemu_guest *vm, struct progress *progress, struct error *err)
{
    enum {
        MANY_PASSES = 20
    };

    if (vm->ram == RAM_ONE_PASS && !vm->paused_ms && has_begun(vm, progress, 2))
        return stop_for_ram(vm, err);
    if (vm->ram == RAM_LIVE && !progress->warned && has_begun(vm, progress, MANY_PASSES)) {
        progress->warned = true;
        event_say(&vm->base.context.events, EVENT_WARNING, NULL,
                  "the guest writes to its RAM about as fast as it is sent: a larger "
                  "--max-downtime, or --ram one-pass, brings it to an end");
    }
    return true;
}

static bool why_failed(struct qemu_guest *vm, const char *status, struct error *err)
{
    AUTO_JSON cJSON *migration = qmp_query_migrate(vm->qemu.q, NULL);

    return error_set(err, ERROR_LOST, "QEMU's migration has ended as '%s': %s", status,
                     json_string_or(migration, "error-desc", "no reason given"));
}

static bool is_end(const char *status)
{
    return !strcmp(status, "failed") || !strcmp(status, "cancelled") ||
           !strcmp(status, "completed");
}

/* Wait a while for the migration to become `wanted`. */
static bool reach(struct qemu_guest *vm, size_t *mark, const char *wanted, uint64_t timeout_ms,
                  bool *reached, struct error *err)
{
    const cJSON *data = qmp_wait_event(vm->qemu.q, mark, "MIGRATION", NULL, NULL, timeout_ms, err);
    char status[32];

    *reached = false;
    if (!data)
        return false;
    snprintf(status, sizeof(status), "%s", json_string_or(data, "status", ""));
    *reached = !strcmp(status, wanted);
    if (*reached || !is_end(status))
        return true;
    return why_failed(vm, status, err);
}

/* Has no deadline of its own: while RAM moves, it may take as long as it takes. */
static bool await_pause(struct qemu_guest *vm, size_t *mark, struct progress *progress,
                        struct error *err)
{
    for (;;) {
        struct error why = { 0 };
        bool paused;

        if (reach(vm, mark, "pre-switchover", POLL_MS, &paused, &why)) {
            if (paused)
                return true;
        } else if (why.kind != ERROR_TIMEOUT) {
            *err = why;
            return false;
        }
        if (!check_passes(vm, progress, err) || !follow(vm, progress, err) ||
            !let_bitmaps_go(vm, progress, err))
            return false;
    }
}

/* ---- the switchover ---- */

static bool drain(struct qemu_guest *vm, struct error *err)
{
    size_t count;
    AUTO_FREE const char **names = names_of_mirrored(vm, &count);
    uint64_t since_ms = loop_now_ms();

    if (!qmp_mirrors_drain(vm->qemu.q, vm->base.context.id, names, count, DRAIN_STALL_MS, err))
        return false;
    tell_downtime(vm, "drain", since_ms);
    return true;
}

/* QEMU does not answer while it sends what is left of RAM and the devices: only its event,
 * or the deadline, ends this.
 */
static bool send_rest(struct qemu_guest *vm, size_t *mark, const struct progress *progress,
                      struct error *err)
{
    uint64_t since_ms = loop_now_ms();
    uint64_t rest_ms = vm->memory / progress->bytes_per_ms;
    uint64_t deadline = since_ms + DEVICE_MS + 2 * rest_ms;
    bool completed = false;

    if (vm->ram != RAM_LIVE)
        vm->ram_ms += 2 * rest_ms;
    if (!qmp_migrate_continue(vm->qemu.q, err))
        return false;
    while (!completed) {
        uint64_t now = loop_now_ms();

        if (!reach(vm, mark, "completed", now < deadline ? deadline - now : 1, &completed, err)) {
            if (err->kind == ERROR_TIMEOUT) {
                error_set(err, ERROR_TIMEOUT,
                          "the target has not taken the rest of RAM and the "
                          "devices within %" PRIu64 " s",
                          (loop_now_ms() - since_ms) / 1000);
                (void)qmp_yank_migration(vm->qemu.q, NULL);
            }
            return false;
        }
    }
    tell_downtime(vm, "ram", since_ms);
    return true;
}

static bool switch_over(struct qemu_guest *vm, size_t *mark, const struct progress *progress,
                        struct error *err)
{
    struct qmp_status status;

    if (!drain(vm, err) || !send_rest(vm, mark, progress, err))
        return false;
    if (!qmp_query_status(vm->qemu.q, &status, err))
        return false;
    if (status.running)
        return error_set(err, ERROR_SYSTEM, "the guest runs, although all of it was sent");
    return true;
}

/* QEMU has paused the guest, if we have not. From `paused` on nothing may happen to it; what has
 * ended it since `begun` was not looked at yet.
 */
static bool check_pause(struct qemu_guest *vm, size_t begun, size_t paused, struct error *err)
{
    static const char *const ends[] = { "SHUTDOWN", "GUEST_PANICKED", NULL };

    qemu_watch(&vm->qemu);
    if (!vm->paused_ms)
        vm->paused_ms = qmp_last_event_ms(vm->qemu.q, "STOP");
    for (const char *const *end = ends; *end; end++)
        if (qmp_has_told(vm->qemu.q, begun, *end))
            return error_set(err, ERROR_SYSTEM, "the guest has ended while it was paused (%s)",
                             *end);
    if (qmp_has_told(vm->qemu.q, paused, "RESUME"))
        return error_set(err, ERROR_REFUSED, "somebody has let the guest run as it was paused");
    return true;
}

bool qemu_ram_send(struct guest *guest, const char *path, const struct ram_hooks *hooks,
                   struct error *err)
{
    struct qemu_guest *vm = qemu_guest_of(guest);
    size_t mark = qmp_mark(vm->qemu.q);
    const size_t begun = mark;
    struct progress progress = { .passes = mark,
                                 .begun_ms = loop_now_ms(),
                                 .bytes_per_ms = SLOWEST_BYTES_PER_MS,
                                 .remaining = UINT64_MAX };
    struct error why = { 0 };
    bool ok;

    vm->sending_ms = loop_now_ms();
    ok = qemu_let_in(&vm->qemu, path, vm->process.uid, &why) && put_settings(vm, &why) &&
         machine_is_still(vm, vm->present, &why) && source_images_hold(vm, &why) &&
         /* From here on QEMU may pause the guest by itself. */
         about_to_pause(vm, hooks, &why) && stop_first(vm, &why) &&
         qmp_migrate(vm->qemu.q, path, &why) && await_pause(vm, &mark, &progress, &why);
    ok = ok && check_pause(vm, begun, mark, &why) && qemu_check_flash(vm, &why);
    end_of_ram_pass(vm);
    if (ok) {
        tell_downtime(vm, "pause", vm->paused_ms);
        ram_hooks_paused(hooks);
    }
    ok = ok && switch_over(vm, &mark, &progress, &why);
    if (!ok && err)
        *err = why;
    return ok;
}

uint64_t qemu_paused_at(struct guest *guest)
{
    return qemu_guest_of(guest)->paused_ms;
}

uint64_t qemu_paused_for(struct guest *guest, bool with_ram)
{
    const struct qemu_guest *vm = qemu_guest_of(guest);
    uint64_t since_ms = paused_since(vm);
    uint64_t now_ms = loop_now_ms();
    uint64_t ram_ms = vm->ram_ms;

    if (!since_ms)
        return 0;
    if (vm->ram_since_ms)
        ram_ms += now_ms - vm->ram_since_ms;
    if (with_ram)
        ram_ms = 0;
    return now_ms - since_ms > ram_ms ? now_ms - since_ms - ram_ms : 0;
}

/* ---- giving up ---- */

static bool is_over(const char *status)
{
    return is_end(status) || !strcmp(status, "none");
}

/* One step towards its end; `*over` when there. While this `waits`, a migration that is being set
 * up is not cancelled: QEMU before 11.1 may crash in the next one (docs/known-faults.md,
 * early-cancel).
 */
static bool urge(struct qemu_guest *vm, bool waits, bool *over, struct error *err)
{
    AUTO_JSON cJSON *migration = NULL;
    const char *status;

    if (!qmp_call_within(vm->qemu.q, "query-migrate", NULL, &migration, ANSWER_MS, err))
        return false;
    status = json_string_or(migration, "status", "none");
    *over = is_over(status);
    if (!*over && strcmp(status, "cancelling") != 0 && (!waits || strcmp(status, "setup") != 0))
        (void)qmp_migrate_cancel(vm->qemu.q, NULL);
    return true;
}

/* A QEMU that does not answer hangs in its stream: out of band that is cut. */
bool qemu_ram_cancel(struct qemu_guest *vm, struct error *err)
{
    uint64_t began = loop_now_ms();
    uint64_t deadline = began + CANCEL_MS;
    bool over = false;

    for (;;) {
        struct error why = { 0 };

        if (!urge(vm, loop_now_ms() < began + SETUP_MS, &over, &why)) {
            if (why.kind != ERROR_TIMEOUT || loop_now_ms() >= deadline) {
                *err = why;
                return false;
            }
            (void)qmp_yank_migration(vm->qemu.q, NULL);
        }
        if (over)
            return true;
        if (loop_now_ms() >= deadline)
            return error_set(err, ERROR_TIMEOUT, "QEMU does not give up its migration");
        if (!loop_pause(vm->base.context.loop, POLL_MS, err))
            return false;
    }
}

/* The source's side after the domain was found: let it go on or end it. */
#include "host/xen/xen.h"

#include <stdio.h>
#include <sys/resource.h>

#include "host/images/image-mark.h"
#include "host/system/program.h"
#include "xmig/process.h"

enum {
    LOWEST_NICE = 19,
    DESTROY_MS = 120000,
    STATUS_MS = 3000,
    REBUILD_MS = 15000,
    START_MS = 60000,
    POLL_MS = 200
};

/* ---- disks ---- */

/* A device model that ends closes a qcow2, and may write to it as it does. */
void xen_source_mark(struct host *host, cJSON *fact)
{
    const struct xen_source *source = &xen_of(host)->source;
    cJSON *marks = cJSON_AddArrayToObject(fact, "images");

    xen_source_watch_note(xen_of(host), fact);
    for (size_t i = 0; i < source->disk_count; i++) {
        const struct xen_disk *disk = &source->disks[i];

        if (strcmp(disk->format, "raw") != 0)
            image_mark_add_none(marks, disk->path, "its format is written to when it is closed");
        else
            image_mark_add(marks, disk->path);
    }
}

bool xen_source_is_unwritten(struct host *host, const cJSON *fact, struct error *err)
{
    (void)host;
    return image_marks_hold(xen_get(fact, "images"), err);
}

/* ---- state ---- */

/* xl, or our monitor, makes it anew: it is paused until it is complete. */
static void await_running(struct xen *vm)
{
    uint64_t deadline = loop_now_ms() + START_MS;

    while (domain_state(vm->xc, vm->domid, vm->uuid) == RUN_PAUSED && loop_now_ms() < deadline)
        if (!loop_pause(vm->base.context.loop, POLL_MS, NULL))
            return;
}

/* A guest that has rebooted has a new domain, which xl needs a while to make; and a domain that is
 * destroyed is paused first.
 */
static void follow_end(struct xen *vm)
{
    uint64_t deadline = loop_now_ms() + REBUILD_MS;
    bool was_paused = domain_is_held(vm);
    uint32_t domid;

    /* The loss of its device model has interrupted every wait, and is no news any more. */
    xen_disconnect(vm);
    loop_clear_interruption(vm->base.context.loop);
    do {
        if (domain_find_uuid(vm->xc, vm->uuid, vm->domid, &domid)) {
            event_say(&vm->base.context.events, EVENT_NOTE, NULL,
                      "the guest has rebooted, and is domain %u now", domid);
            vm->domid = domid;
            await_running(vm);
            return;
        }
    } while (loop_pause(vm->base.context.loop, POLL_MS, NULL) && loop_now_ms() < deadline &&
             (!was_paused || domain_is_held(vm)));
    (void)xen_is_left_alone(vm);
}

static bool has_shut_down(struct xen *vm)
{
    xc_domaininfo_t info;
    unsigned reason;

    return domain_info(vm->xc, vm->domid, &info) && domain_is_shut_down(&info, &reason) &&
           reason != SHUTDOWN_suspend;
}

/* Somebody ends the domain: first its device model, at last itself. */
static bool is_ending(struct xen *vm)
{
    if (domain_state(vm->xc, vm->domid, vm->uuid) == RUN_GONE || has_shut_down(vm) ||
        domain_is_held(vm))
        return true;
    /* It closes its monitor a moment before it is gone. */
    return !process_lives(vm->source.pid, vm->source.start_time) ||
           !xen_connect(vm, STATUS_MS, NULL);
}

/* A guest whose device model stands still does not run, whatever its processors do, and one
 * that may stop at any time is not to be relied on.
 */
enum run_state xen_source_state(struct host *host)
{
    struct xen *vm = xen_of(host);
    struct qmp_status status;
    enum run_state state;

    if (!*vm->base.stopped && !vm->source.destroyed && !vm->source.reattached && is_ending(vm))
        follow_end(vm);
    if (vm->source.reattached && domain_is_held(vm))
        (void)xen_is_left_alone(vm);
    state = domain_state(vm->xc, vm->domid, vm->uuid);
    if (state == RUN_RUNNING && vm->source.owes)
        return RUN_PAUSED;
    if (state != RUN_RUNNING)
        return state;
    if (!xen_connect(vm, STATUS_MS, NULL) || !qmp_query_status(vm->q, &status, NULL))
        return RUN_UNKNOWN;
    return status.running ? RUN_RUNNING : RUN_PAUSED;
}

static bool device_model_goes_on(struct xen *vm, struct error *err)
{
    struct qmp_status status;

    if (!xen_connect(vm, QMP_CONNECT_MS, err) || !qmp_query_status(vm->q, &status, err))
        return false;
    return status.running || qmp_cont(vm->q, err);
}

/* What mirrors a dead process has left. */
static bool stop_mirrors(struct xen *vm, struct error *err)
{
    for (size_t i = 0; i < vm->source.disk_count; i++)
        if (!qmp_mirror_stop(vm->q, vm->base.context.id, vm->source.disks[i].name, err))
            return false;
    return true;
}

bool xen_source_resume(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);

    if (domain_state(vm->xc, vm->domid, vm->uuid) == RUN_GONE)
        return error_set(err, ERROR_SYSTEM, "the domain '%s' is gone", vm->source.name);
    if (has_shut_down(vm) && xen_is_left_alone(vm))
        return true;
    if (vm->q)
        qmp_guard(vm->q, false);
    if (!device_model_goes_on(vm, err) || !guest_resume(vm, err))
        return false;
    return !vm->source.reattached || stop_mirrors(vm, err);
}

/* ---- after the move ---- */

/* libxl made it, and knows all that belongs to it. */
bool xen_source_destroy(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);
    AUTO_FREE char *number = xen_text("%u", vm->domid);
    AUTO_FREE char *xl = program_find("xl");
    const char *const words[] = { xl ? xl : "/usr/sbin/xl", "destroy", number, NULL };

    xen_disconnect(vm);
    vm->source.destroyed = true;
    switch (domain_state(vm->xc, vm->domid, vm->uuid)) {
    case RUN_GONE: /* with the power, and libxl's files of it are left */
        config_remove(vm->domid, vm->uuid);
        xen_fence_tell(vm);
        return true;
    case RUN_RUNNING:
    case RUN_PAUSED:
    case RUN_UNKNOWN:
        if (xen_source_ran(vm, err))
            return false;
        break;
    }
    /* All that is left to do comes after what others want of this host. */
    (void)setpriority(PRIO_PROCESS, 0, LOWEST_NICE);
    if (!program_run(host->context.loop, words, NULL, DESTROY_MS, err))
        return error_prefix(err, "destroying the old copy");
    xen_fence_tell(vm);
    return true;
}

/* ---- after a crash ---- */

bool xen_source_reattach(struct xen *vm, const cJSON *fact, struct error *err)
{
    uint64_t domid;
    const char *name = json_string(fact, "name", err);
    const char *uuid = json_string(fact, "uuid", err);
    const cJSON *disk;

    if (!name || !uuid || !json_uint(fact, "domid", &domid, err))
        return false;
    vm->domid = (uint32_t)domid;
    snprintf(vm->uuid, sizeof(vm->uuid), "%s", uuid);
    vm->source.name = must(strdup(name));
    vm->source.pid = (pid_t)json_uint_or(fact, "device_model", 0);
    vm->source.start_time = json_uint_or(fact, "device_model_started", 0);
    vm->source.images = cJSON_Duplicate(xen_get(fact, "images"), true);
    vm->source.reattached = true;
    cJSON_ArrayForEach (disk, xen_get(fact, "disks")) {
        struct xen_source *source = &vm->source;

        source->disks =
            must(realloc(source->disks, (source->disk_count + 1) * sizeof(*source->disks)));
        source->disks[source->disk_count++] = (struct xen_disk){
            .name = must(strdup(cJSON_IsString(disk) ? disk->valuestring : "?")),
        };
    }
    return true;
}

void xen_source_done(struct xen *vm)
{
    struct xen_source *source = &vm->source;
    const cJSON *proof;

    xen_source_unlock(vm);
    cJSON_ArrayForEach (proof, source->proofs)
        unlink(proof->valuestring);
    xen_source_disks_done(source);
    cJSON_Delete(source->devices);
    cJSON_Delete(source->proofs);
    cJSON_Delete(source->images);
    cJSON_Delete(source->config);
    cJSON_Delete(source->words);
    free(source->name);
    free(source->program);
    free(source->machine);
    *source = (struct xen_source){ 0 };
}

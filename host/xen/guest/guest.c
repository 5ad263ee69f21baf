/* The guest's table; also finds a guest again after a crash, and frees one. */
#include "host/xen/guest/guest.h"

#include <stdio.h>

#include "host/images/image-mark.h"
#include "xmig/facts.h"

static void free_guest(struct guest *guest)
{
    struct xen_guest *vm = xen_guest_of(guest);
    const cJSON *proof;

    xen_guest_unlock(vm);
    xen_done(&vm->xen);
    cJSON_ArrayForEach (proof, vm->proofs)
        unlink(proof->valuestring);
    xen_guest_disks_done(vm);
    cJSON_Delete(vm->devices);
    cJSON_Delete(vm->proofs);
    cJSON_Delete(vm->images);
    cJSON_Delete(vm->config);
    cJSON_Delete(vm->words);
    free(vm->name);
    free(vm->program);
    free(vm->machine);
    free(vm);
}

/* ---- its disks ---- */

/* A qcow2 image gets no mark: the device model may still write to it when it closes it. */
static void mark(struct guest *guest, cJSON *fact)
{
    const struct xen_guest *vm = xen_guest_of(guest);
    cJSON *marks = cJSON_AddArrayToObject(fact, "images");

    xen_guest_watch_note(xen_guest_of(guest), fact);
    for (size_t i = 0; i < vm->disk_count; i++) {
        const struct xen_disk *disk = &vm->disks[i];

        if (strcmp(disk->params.format, "raw") != 0)
            image_mark_add_none(marks, disk->params.source,
                                "its format is written to when it is closed");
        else
            image_mark_add(marks, disk->params.source);
    }
}

static bool is_unwritten(struct guest *guest, const cJSON *fact, struct error *err)
{
    (void)guest;
    return image_marks_hold(json_get(fact, "images"), err);
}

/* ---- after a crash ---- */

static bool find_again(struct xen_guest *vm, const cJSON *fact, struct error *err)
{
    uint64_t domid;
    const char *name = json_string(fact, "name", err);
    const char *uuid = json_string(fact, "uuid", err);
    const cJSON *disks, *disk;

    if (!name || !uuid || !json_uint(fact, "domid", &domid, err))
        return false;
    vm->xen.domid = (uint32_t)domid;
    snprintf(vm->xen.uuid, sizeof(vm->xen.uuid), "%s", uuid);
    vm->name = must(strdup(name));
    vm->pid = (pid_t)json_uint_or(fact, "device_model", 0);
    vm->xen.has_model = vm->pid > 0;
    vm->start_time = json_uint_or(fact, "device_model_started", 0);
    vm->images = cJSON_Duplicate(json_get(fact, "images"), true);
    vm->reattached = true;
    vm->kept = must(cJSON_CreateArray());
    disks = json_keep(vm->kept, cJSON_Duplicate(json_get(fact, "disks"), true));
    cJSON_ArrayForEach (disk, disks) {
        vm->disks = must(realloc(vm->disks, (vm->disk_count + 1) * sizeof(*vm->disks)));
        vm->disks[vm->disk_count++] = (struct xen_disk){
            .params.name = cJSON_IsString(disk) ? disk->valuestring : "?",
        };
    }
    return true;
}

static bool reattach(struct guest *guest, const cJSON *records, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);
    const cJSON *source = fact_find(records, FACT_SOURCE);
    const cJSON *drained = fact_find(records, FACT_DRAINED);
    const cJSON *stopped = fact_find(records, FACT_STOPPED);

    if (!xen_open(&vm->xen, err))
        return false;
    xen_tracking_clean(vm);
    vm->suspend_pending = fact_find(records, FACT_ACKNOWLEDGED);
    vm->ran = fact_find(records, FACT_RAN);
    if (drained)
        xen_guest_watch_found(vm, drained);
    if (stopped)
        snprintf(guest->stopped, sizeof(guest->stopped), "%s", json_string_or(stopped, "why", ""));
    return !source || find_again(vm, source, err);
}

/* ---- the table ---- */

static const struct guest_ops ops = {
    .free = free_guest,
    .attach = xen_attach,
    .reattach = reattach,
    .describe = xen_describe,
    .plan = xen_plan_send,
    .remember = xen_remember,
    .mirrors = &xen_mirrors,
    .ram_send = xen_ram_send,
    .mark = mark,
    .is_unwritten = is_unwritten,
    .paused_at = xen_paused_at,
    .paused_for = xen_paused_for,
    .state = xen_guest_state,
    .unchanged = xen_guest_unchanged,
    .resume = xen_guest_resume,
    .fence = xen_guest_fence,
    .unfence = xen_guest_unfence,
    .nobody_else = xen_nobody_else,
    .runs_again = xen_guest_runs_again,
    .destroy = xen_guest_destroy,
};

struct guest *xen_guest_new(void)
{
    struct xen_guest *vm = must(calloc(1, sizeof(*vm)));

    vm->base.ops = &ops;
    vm->lock = -1;
    xen_init(&vm->xen, &vm->base.context);
    return &vm->base;
}

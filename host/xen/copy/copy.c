/* The copy's table; also finds a copy again after a crash, and frees one. */
#include "host/xen/copy/copy.h"

#include <stdio.h>

#include "host/xen/ground/domain.h"
#include "xmig/facts.h"
#include "xmig/identity.h"

/* The device model must outlive xmig, so it is released, not ended. */
static void free_copy(struct copy *copy)
{
    struct xen_copy *vm = xen_copy_of(copy);

    xen_ram_close(vm);
    volume_exports_done(vm);
    xen_done(&vm->xen);
    child_release(steal(vm->child));
    disk_images_done(&vm->images);
    cJSON_Delete(vm->notes);
    cJSON_Delete(vm->files);
    argv_result_done(&vm->line);
    free(vm->program);
    free(vm->log);
    free(vm->name);
    free(vm->device_state);
    free(vm);
}

/* ---- its disks ---- */

static bool disks_have_names(struct copy *copy, struct error *err)
{
    return disk_images_have_names(&xen_copy_of(copy)->images, err);
}

static bool disks_discard(struct copy *copy, struct error *err)
{
    return disk_images_discard(&xen_copy_of(copy)->images, err);
}

static bool disks_keep(struct copy *copy, struct error *err)
{
    return disk_images_keep(&xen_copy_of(copy)->images, err);
}

/* ---- after a crash ---- */

/* The domain is gone: are its nodes in xenstore still there? */
static bool has_nodes(struct xen_copy *vm)
{
    AUTO_FREE char *path = store_read(vm->xen.xs, "/local/domain/%u/vm", vm->xen.domid);

    return vm->xen.domid != 0 && path && !strcmp(path + strlen("/vm/"), vm->xen.uuid);
}

/* Has the host booted since the copy was begun? The first record tells; the newest may be written
 * by the xmig that looks at it now.
 */
static bool has_booted_since(const cJSON *records)
{
    const cJSON *begin = cJSON_GetArrayItem(records, 0);
    struct identity here;

    return identity_read(&here, NULL) && strcmp(json_string_or(begin, "boot", ""), here.boot) != 0;
}

/* After a boot the noted numbers, and even the UUID, may be those of something else. */
static void forget_numbers(struct xen_copy *vm)
{
    vm->domid_before_boot = vm->xen.domid;
    cJSON_Delete(steal(vm->servers));
    vm->xen.domid = 0;
    vm->pid = 0;
}

static bool reattach(struct copy *copy, const cJSON *records, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);
    const cJSON *domain = fact_find(records, FACT_DOMAIN);
    const cJSON *model = fact_find(records, FACT_DEVICE_MODEL);
    const cJSON *files = fact_find(records, FACT_FILES);
    const cJSON *record;

    if (!xen_open(&vm->xen, err))
        return false;
    disk_images_reattach(&vm->images, records);
    cJSON_ArrayForEach (record, records)
        if (fact_of(record) == FACT_EXPORT)
            volume_exports_found(vm, record);
    if (domain) {
        snprintf(vm->xen.uuid, sizeof(vm->xen.uuid), "%s", json_string_or(domain, "uuid", ""));
        vm->name = must(strdup(json_string_or(domain, "vm_name", "?")));
    }
    if (model) {
        vm->xen.domid = (uint32_t)json_uint_or(model, "domid", 0);
        vm->pid = (pid_t)json_uint_or(model, "device_model", 0);
        vm->xen.has_model = vm->pid > 0;
        vm->start_time = json_uint_or(model, "started", 0);
    }
    vm->files = files ? must(cJSON_Duplicate(files, true)) : NULL;
    if (has_booted_since(records))
        forget_numbers(vm);
    else if (*vm->xen.uuid && !domain_find_uuid(vm->xen.xc, vm->xen.uuid, 0, &vm->xen.domid) &&
             !has_nodes(vm))
        vm->xen.domid = 0;
    return true;
}

/* ---- the table ---- */

static const struct copy_ops ops = {
    .free = free_copy,
    .needs = xen_needs,
    .check = xen_check_target,
    .plan = xen_plan_recv,
    .create = xen_create_machine,
    .start = xen_start_device_model,
    .open_lane = xen_open_lane,
    .flush_disks = xen_flush_disks,
    .ram_listen = xen_ram_listen,
    .ram_recv = xen_ram_recv,
    .seal = xen_seal,
    .never_ran = xen_copy_never_ran,
    .disks_have_names = disks_have_names,
    .before_resume = xen_before_resume,
    .resume = xen_copy_resume,
    .after_resume = xen_after_resume,
    .state = xen_copy_state,
    .runs_again = xen_copy_runs_again,
    .destroy = xen_copy_destroy,
    .disks_discard = disks_discard,
    .disks_keep = disks_keep,
    .reattach = reattach,
};

struct copy *xen_copy_new(void)
{
    struct xen_copy *vm = must(calloc(1, sizeof(*vm)));

    vm->base.ops = &ops;
    vm->ram = vm->ram_lane = -1;
    xen_init(&vm->xen, &vm->base.context);
    disk_images_init(&vm->images, &vm->base.context);
    vm->images.maps_larger = true;
    return &vm->base;
}

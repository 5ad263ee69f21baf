/* The guest's device model: the QEMU that emulates an HVM guest's machine, or that only serves the
 * disks of a PVH guest. A PVH guest without such disks has none: then there is nothing to do.
 */
#include "host/xen/guest/guest.h"

#include "host/xen/ground/config.h"
#include "xmig/paths.h"
#include "xmig/process.h"
#include "xmig/text.h"

enum {
    STATUS_MS = 3000,
    SAVE_MS = 30000
};

/* ---- finding it ---- */

/* The command line of process `pid` without the program. */
static cJSON *read_words(pid_t pid, struct error *err)
{
    size_t size;
    AUTO_FREE char *line = process_file(pid, "cmdline", &size);
    cJSON *words;

    if (!line) {
        error_set(err, ERROR_REFUSED, "its device model (process %d) does not run: %m", (int)pid);
        return NULL;
    }
    words = process_words(line, size);
    cJSON_DeleteItemFromArray(words, 0);
    return words;
}

static bool take(struct xen_guest *vm, struct error *err)
{
    AUTO_FREE char *link = formatted("/proc/%d/exe", (int)vm->pid);

    vm->start_time = process_start_time(vm->pid);
    vm->words = read_words(vm->pid, err);
    if (!vm->words)
        return false;
    vm->program = path_real("/", link);
    if (!xen_connect(&vm->xen, QMP_CONNECT_MS, err))
        return error_prefix(err, "its device model");
    if (!qmp_refuse_block_jobs(vm->xen.q, err))
        return false;
    qmp_guard(vm->xen.q, true);
    return true;
}

bool guest_model_attach(struct xen_guest *vm, struct error *err)
{
    vm->pid = (pid_t)store_number(vm->xen.xs, 0, "/local/domain/%u/image/device-model-pid",
                                  vm->xen.domid);
    vm->xen.has_model = vm->pid > 0;
    if (vm->xen.has_model)
        return take(vm, err);
    return config_is_pvh(vm->config) ||
           error_set(err, ERROR_REFUSED, "it has no device model of its own");
}

/* ---- asking it ---- */

bool guest_model_blocks(struct xen_guest *vm, cJSON **blocks, struct error *err)
{
    if (vm->xen.has_model)
        return qmp_call(vm->xen.q, "query-block", NULL, blocks, err);
    *blocks = must(cJSON_CreateArray());
    return true;
}

/* It closes its monitor a moment before it is gone. */
bool guest_model_is_gone(struct xen_guest *vm)
{
    return vm->xen.has_model &&
           (!process_lives(vm->pid, vm->start_time) || !xen_connect(&vm->xen, STATUS_MS, NULL));
}

enum run_state guest_model_state(struct xen_guest *vm)
{
    struct qmp_status status;

    if (!vm->xen.has_model)
        return RUN_RUNNING;
    if (!xen_connect(&vm->xen, STATUS_MS, NULL) || !qmp_query_status(vm->xen.q, &status, NULL))
        return RUN_UNKNOWN;
    return status.running ? RUN_RUNNING : RUN_PAUSED;
}

/* ---- stopping it, and letting it go on ---- */

/* "live" means that QEMU keeps its images. Shared images must be given up, before the target may
 * touch them; mirrored ones need not.
 */
static bool save(struct xen_guest *vm, const char *path, struct error *err)
{
    cJSON *arguments = json_new("filename", path);

    cJSON_AddBoolToObject(arguments, "live", !vm->base.context.options.mirrors_disks);
    return qmp_call_within(vm->xen.q, "xen-save-devices-state", arguments, NULL, SAVE_MS, err);
}

bool guest_model_stop(struct xen_guest *vm, const char *path, uint64_t timeout_ms,
                      struct error *err)
{
    if (!vm->xen.has_model)
        return true;
    if (!qmp_stop(vm->xen.q, timeout_ms, err))
        return error_prefix(err, "stopping the device model");
    return save(vm, path, err) || error_prefix(err, "saving the device state");
}

bool guest_model_goes_on(struct xen_guest *vm, struct error *err)
{
    struct qmp_status status;

    if (!vm->xen.has_model)
        return true;
    if (vm->xen.q)
        qmp_guard(vm->xen.q, false);
    if (!xen_connect(&vm->xen, QMP_CONNECT_MS, err) || !qmp_query_status(vm->xen.q, &status, err))
        return false;
    return status.running || qmp_cont(vm->xen.q, err);
}

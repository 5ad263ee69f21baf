/* Complete the domain: introduce it to xenstore, end the exports, load the device state, make the
 * disks durable. The guest stands still meanwhile, so all that can be done earlier is done earlier
 * (toolstack-view.c).
 */
#include <sys/socket.h>
#include <sys/time.h>

#include "host/xen/copy/copy.h"
#include "xmig/bytes.h"
#include "xmig/text.h"

enum {
    LOAD_MS = 120000,
    WRITE_S = 30
};

/* Introduce the domain only now: xenstore's ring is in the guest's memory, which is here now. */
static bool introduce(struct xen_copy *vm, struct error *err)
{
    if (!xs_introduce_domain(vm->xen.xs, vm->xen.domid, vm->store_gfn, vm->store_port))
        return xen_fail(&vm->xen, err, "cannot introduce the domain to xenstore");
    return true;
}

/* ---- the device state ---- */

static bool write_state(const struct xen_copy *vm, const char *path, struct error *err)
{
    const struct timeval limit = { .tv_sec = WRITE_S };
    AUTO_CLOSE int fd = connect_unix(path, err);

    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    return bytes_write(fd, vm->device_state, vm->device_state_size) ||
           error_set(err, ERROR_SYSTEM, "cannot hand the device state over: %m");
}

static bool await_loaded(struct xen_copy *vm, size_t mark, struct error *err)
{
    for (;;) {
        const cJSON *data = qmp_wait_event(vm->xen.q, &mark, "MIGRATION", NULL, NULL, LOAD_MS, err);
        const char *status = json_string_or(data, "status", "");

        if (!data)
            return false;
        if (!strcmp(status, "completed"))
            return true;
        if (!strcmp(status, "failed"))
            return error_set(err, ERROR_SYSTEM, "the device state does not fit");
    }
}

static bool check_paused(struct xen_copy *vm, struct error *err)
{
    struct qmp_status status;

    if (!qmp_query_status(vm->xen.q, &status, err))
        return false;
    return !strcmp(status.text, "paused") ||
           error_set(err, ERROR_SYSTEM, "the device model is '%s', not 'paused'", status.text);
}

static bool load_state(struct xen_copy *vm, struct error *err)
{
    AUTO_FREE char *path = formatted("%s/incoming.sock", vm->base.context.runtime_dir);
    size_t mark;
    bool ok;

    if (!vm->xen.has_model)
        return true;
    mark = qmp_mark(vm->xen.q);
    ok = qmp_migrate_incoming(vm->xen.q, path, err) && write_state(vm, path, err) &&
         await_loaded(vm, mark, err) && check_paused(vm, err);
    unlink(path);
    if (!ok)
        device_model_explain(vm, err);
    return ok || error_prefix(err, "loading the device state");
}

/* ---- the public face ---- */

static bool build(struct xen_copy *vm, struct error *err)
{
    if (!vm->restored)
        return error_set(err, ERROR_SYSTEM, "there is no RAM to go with it");
    if (xc_domain_claim_pages(vm->xen.xc, vm->xen.domid, 0) < 0)
        return xen_fail(&vm->xen, err, "cannot give the claimed memory back");
    if (!xen_limit_memory(vm, vm->params.xen.max_pages, err))
        return false;
    return toolstack_view_write_rings(vm, err) && introduce(vm, err);
}

/* Log each step: their times are part of the guest's pause. */
static void tell(struct xen_copy *vm, const char *what, uint64_t *since_ms)
{
    uint64_t now_ms = loop_now_ms();

    event_say(&vm->base.context.events, EVENT_DEBUG, NULL, "%s took %llu ms", what,
              (unsigned long long)(now_ms - *since_ms));
    *since_ms = now_ms;
}

/* End the exports before the state is loaded: loading it gives the images to the guest's devices.
 */
bool xen_seal(struct copy *copy, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);
    bool mirrors = copy->context.options.mirrors_disks;
    uint64_t since_ms = loop_now_ms();

    if (!build(vm, err))
        return false;
    tell(vm, "introducing the domain", &since_ms);
    if (mirrors && !exports_close(vm, err))
        return false;
    tell(vm, "ending the exports", &since_ms);
    if (!load_state(vm, err))
        return false;
    tell(vm, "loading the device state", &since_ms);
    if (mirrors && !disk_images_sync(&vm->images, err))
        return false;
    tell(vm, "making the disks durable", &since_ms);
    return true;
}

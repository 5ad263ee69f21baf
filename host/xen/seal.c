/* The domain becomes complete: its memory's nodes, its console, its devices' state, its disks.
 * Nothing of it runs yet, and the guest stands still meanwhile: what need not be done here is
 * done before (face.c).
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "host/xen/xen.h"

enum {
    LOAD_MS = 120000,
    WRITE_S = 30,
    CONSOLE_LIMIT = 1048576
};

static uint64_t number(const struct xen *vm, const char *name)
{
    return json_uint_or(vm->target.xen, name, 0);
}

static const cJSON *build_info(const struct xen *vm)
{
    return xen_get(xen_get(vm->target.xen, "config"), "b_info");
}

/* ---- what libxl writes once a domain is built ---- */

static bool is_online(const struct xen *vm, unsigned vcpu)
{
    const cJSON *online = xen_get(build_info(vm), "avail_vcpus");
    const cJSON *item;

    cJSON_ArrayForEach (item, online)
        if (item->valueint == (int)vcpu)
            return true;
    return !online;
}

static bool write_memory(struct xen *vm, struct error *err)
{
    struct store_batch batch = { .domid = vm->domid };
    uint64_t static_max =
        json_uint_or(build_info(vm), "max_memkb", number(vm, "max_pages") * XEN_PAGE / 1024);

    store_add_number(&batch, STORE_AS_ABOVE, (long long)static_max,
                     "/local/domain/%u/memory/static-max", vm->domid);
    store_add_number(&batch, STORE_AS_ABOVE, (long long)number(vm, "memory_target"),
                     "/local/domain/%u/memory/target", vm->domid);
    store_add_number(&batch, STORE_AS_ABOVE, (long long)number(vm, "videoram"),
                     "/local/domain/%u/memory/videoram", vm->domid);
    store_add_number(&batch, STORE_AS_ABOVE, vm->domid, "/local/domain/%u/domid", vm->domid);
    store_add_number(&batch, STORE_AS_ABOVE, vm->target.store_port, "/local/domain/%u/store/port",
                     vm->domid);
    store_add_number(&batch, STORE_AS_ABOVE, (long long)vm->target.store_gfn,
                     "/local/domain/%u/store/ring-ref", vm->domid);
    for (unsigned i = 0; i < number(vm, "vcpus"); i++)
        store_add(&batch, STORE_AS_ABOVE, is_online(vm, i) ? "online" : "offline",
                  "/local/domain/%u/cpu/%u/availability", vm->domid, i);
    return store_commit(vm->xs, &batch, err);
}

/* Only now is the page there, by which xenstore speaks with the guest. */
static bool introduce(struct xen *vm, struct error *err)
{
    if (!xs_introduce_domain(vm->xs, vm->domid, vm->target.store_gfn, vm->target.store_port))
        return xen_fail(vm, err, "cannot introduce the domain to xenstore");
    return true;
}

static bool write_console(struct xen *vm, struct error *err)
{
    struct store_batch batch = { .domid = vm->domid };
    AUTO_FREE char *back = xen_text("/local/domain/0/backend/console/%u/0", vm->domid);
    AUTO_FREE char *front = xen_text("/local/domain/%u/console", vm->domid);
    AUTO_FREE char *libxl = xen_text("/libxl/%u/device/console/0", vm->domid);

    store_add(&batch, STORE_GUEST_READS, "", "%s", front);
    store_add(&batch, STORE_GUEST_READS, "", "%s", back);
    store_add(&batch, STORE_DOM0_ONLY, "", "%s", libxl);
    store_add(&batch, STORE_AS_ABOVE, back, "%s/backend", libxl);
    for (int i = 0; i < 2; i++) {
        const char *where = i ? libxl : back;

        store_add(&batch, STORE_AS_ABOVE, front, "%s/frontend", where);
        store_add_number(&batch, STORE_AS_ABOVE, vm->domid, "%s/frontend-id", where);
        store_add(&batch, STORE_AS_ABOVE, "1", "%s/online", where);
        store_add(&batch, STORE_AS_ABOVE, "1", "%s/state", where);
        store_add(&batch, STORE_AS_ABOVE, "vt100", "%s/protocol", where);
    }
    store_add(&batch, STORE_AS_ABOVE, back, "%s/backend", front);
    store_add(&batch, STORE_AS_ABOVE, "0", "%s/backend-id", front);
    store_add_number(&batch, STORE_AS_ABOVE, CONSOLE_LIMIT, "%s/limit", front);
    store_add(&batch, STORE_AS_ABOVE, "xenconsoled", "%s/type", front);
    store_add(&batch, STORE_AS_ABOVE, "pty", "%s/output", front);
    store_add(&batch, STORE_AS_ABOVE, "", "%s/tty", front);
    store_add_number(&batch, STORE_AS_ABOVE, vm->target.console_port, "%s/port", front);
    store_add_number(&batch, STORE_AS_ABOVE, (long long)vm->target.console_gfn, "%s/ring-ref",
                     front);
    return store_commit(vm->xs, &batch, err);
}

/* ---- the device state ---- */

static bool write_state(const struct xen *vm, const char *path, struct error *err)
{
    const struct timeval limit = { .tv_sec = WRITE_S };
    AUTO_CLOSE int fd = connect_unix(path, err);
    const char *rest = vm->target.device_state;
    size_t left = vm->target.device_state_size;

    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    while (left > 0) {
        ssize_t written = write(fd, rest, left);

        if (written <= 0)
            return error_set(err, ERROR_SYSTEM, "cannot hand the device state over: %m");
        rest += written;
        left -= (size_t)written;
    }
    return true;
}

static bool await_loaded(struct xen *vm, size_t mark, struct error *err)
{
    for (;;) {
        const cJSON *data = qmp_wait_event(vm->q, &mark, "MIGRATION", NULL, NULL, LOAD_MS, err);
        const char *status = json_string_or(data, "status", "");

        if (!data)
            return false;
        if (!strcmp(status, "completed"))
            return true;
        if (!strcmp(status, "failed"))
            return error_set(err, ERROR_SYSTEM, "the device state does not fit");
    }
}

static bool check_paused(struct xen *vm, struct error *err)
{
    struct qmp_status status;

    if (!qmp_query_status(vm->q, &status, err))
        return false;
    return !strcmp(status.text, "paused") ||
           error_set(err, ERROR_SYSTEM, "the device model is '%s', not 'paused'", status.text);
}

/* Shared images stay the source's until the guest is ours. */
static bool load_state(struct xen *vm, struct error *err)
{
    static const char *const events[] = { "events", NULL };
    static const char *const late[] = { "events", "late-block-activate", NULL };
    AUTO_FREE char *path = xen_text("%s/incoming.sock", vm->base.context.runtime_dir);
    size_t mark = qmp_mark(vm->q);
    bool ok;

    ok = qmp_set_capabilities(vm->q, vm->base.context.options.mirrors_disks ? events : late, err) &&
         qmp_migrate_incoming(vm->q, path, err) && write_state(vm, path, err) &&
         await_loaded(vm, mark, err) && check_paused(vm, err);
    unlink(path);
    if (!ok)
        device_model_explain(vm, err);
    return ok || error_prefix(err, "loading the device state");
}

/* ---- the public face ---- */

static bool build(struct xen *vm, struct error *err)
{
    if (!vm->target.restored)
        return error_set(err, ERROR_SYSTEM, "there is no RAM to go with it");
    if (xc_domain_claim_pages(vm->xc, vm->domid, 0) < 0)
        return xen_fail(vm, err, "cannot give the claimed memory back");
    return write_memory(vm, err) && introduce(vm, err) && write_console(vm, err);
}

static bool add_disks(struct xen *vm, struct error *err)
{
    return devices_write_disks(vm, true, err) && devices_await_disks(vm, true, err);
}

/* The guest stands still meanwhile: where the time goes is worth a line. */
static void tell(struct xen *vm, const char *what, uint64_t *since_ms)
{
    uint64_t now_ms = loop_now_ms();

    event_say(&vm->base.context.events, EVENT_DEBUG, NULL, "%s took %llu ms", what,
              (unsigned long long)(now_ms - *since_ms));
    *since_ms = now_ms;
}

/* The exports end before the state is loaded: then the guest's devices own the images. Only
 * afterwards may the disks' backends open them a second time.
 */
bool xen_seal(struct host *host, struct error *err)
{
    struct xen *vm = xen_of(host);
    bool mirrors = host->context.options.mirrors_disks;
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
    if ((mirrors && !add_disks(vm, err)) || !check_paused(vm, err))
        return false;
    tell(vm, "adding the disks", &since_ms);
    if (mirrors && !disk_images_sync(&vm->target.images, err))
        return false;
    tell(vm, "making the disks durable", &since_ms);
    return true;
}

/* The Xen host: HVM guests with an unmodified toolstack and device model, moved with
 * libxenctrl, libxenguest and libxenstore. libxl is not used, but what is made here looks
 * as if libxl had made it.
 */
#include "host/xen/xen.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- what everything here uses ---- */

bool xen_fail(struct xen *vm, struct error *err, const char *format, ...)
{
    int number = errno;
    AUTO_FREE char *complaint = xen_log_complaint(vm->log);
    AUTO_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    if (*complaint)
        return error_set(err, ERROR_SYSTEM, "%s: %s (%s)", text, strerror(number), complaint);
    return error_set(err, ERROR_SYSTEM, "%s: %s", text, strerror(number));
}

char *xen_text(const char *format, ...)
{
    char *text;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    return text;
}

bool xen_open(struct xen *vm, struct error *err)
{
    if (!vm->xc)
        vm->xc = xc_interface_open(xen_log_logger(vm->log), xen_log_logger(vm->log), 0);
    if (!vm->xc)
        return xen_fail(vm, err, "cannot talk to Xen");
    if (!vm->xs)
        vm->xs = xs_open(0);
    if (!vm->xs)
        return xen_fail(vm, err, "cannot talk to xenstore");
    return true;
}

bool xen_connect(struct xen *vm, uint64_t timeout_ms, struct error *err)
{
    AUTO_FREE char *path = xen_text("/var/run/xen/qmp-libxenstat-%u", vm->domid);

    if (vm->q && !qmp_lost(vm->q, NULL))
        return true;
    xen_disconnect(vm);
    vm->q = qmp_connect(vm->base.context.loop, path, timeout_ms, err);
    return vm->q != NULL;
}

void xen_disconnect(struct xen *vm)
{
    qmp_free(steal(vm->q));
}

/* ---- the host ---- */

static struct host *create(const struct vm_context *context)
{
    struct xen *vm = must(calloc(1, sizeof(*vm)));

    vm->base = (struct host){ .ops = &xen_host, .context = *context };
    vm->log = xen_log_new();
    vm->target.ram = vm->target.ram_lane = -1;
    disk_images_init(&vm->target.images, &vm->base.context);
    return &vm->base;
}

static void free_host(struct host *host)
{
    struct xen *vm = xen_of(host);

    xen_source_done(vm);
    xen_target_done(vm);
    xen_disconnect(vm);
    if (vm->xs)
        xs_close(vm->xs);
    if (vm->xc)
        xc_interface_close(vm->xc);
    xen_log_free(vm->log);
    free(vm);
}

/* /proc/xen may not be mounted; the device always is there, on Xen. */
static bool available(struct error *err)
{
    AUTO_FREE char *type = NULL;
    size_t size = 0;
    FILE *file = fopen("/sys/hypervisor/type", "re");
    bool on_xen = file && getline(&type, &size, file) > 0 && !strncmp(type, "xen", 3);

    if (file)
        fclose(file);
    if (!on_xen)
        return error_set(err, ERROR_REFUSED, "this machine is not a Xen host");
    if (access("/dev/xen/privcmd", R_OK | W_OK) < 0)
        return error_set(err, ERROR_REFUSED, "this Xen host cannot be used: /dev/xen/privcmd: %m");
    return true;
}

static bool knows(const char *name)
{
    struct vm_context none = { 0 };
    struct host *host;
    struct xen *vm;
    uint32_t domid;
    bool found;

    if (!available(NULL))
        return false;
    host = create(&none);
    vm = xen_of(host);
    found = xen_open(vm, NULL) && domain_find(vm->xc, vm->xs, name, &domid);
    free_host(host);
    return found;
}

static void vms(cJSON *names)
{
    struct vm_context none = { 0 };
    struct host *host;

    if (!available(NULL))
        return;
    host = create(&none);
    if (xen_open(xen_of(host), NULL))
        domain_names(xen_of(host)->xc, xen_of(host)->xs, names);
    free_host(host);
}

static bool reattach(struct host *host, const cJSON *records, struct error *err)
{
    struct xen *vm = xen_of(host);
    const cJSON *record, *source = NULL;

    if (!xen_open(vm, err))
        return false;
    cJSON_ArrayForEach (record, records) {
        const char *fact = json_string_or(record, "fact", "");

        if (!strcmp(fact, "suspend-acknowledged"))
            vm->source.owes = true;
        if (!strcmp(fact, "drained"))
            xen_source_watch_found(vm, record);
        if (!strcmp(fact, "ran"))
            vm->source.ran = true;
        if (!strcmp(fact, "stopped"))
            snprintf(host->stopped, sizeof(host->stopped), "%s", json_string_or(record, "why", ""));
        if (!strcmp(fact, "source"))
            source = record;
    }
    if (source)
        return xen_source_reattach(vm, source, err);
    return xen_target_reattach(vm, records, err);
}

const struct host_ops xen_host = {
    .name = "xen",
    .summary = "HVM guests of Xen, with their local disks",
    .create = create,
    .free = free_host,
    .available = available,
    .knows = knows,
    .vms = vms,
    .attach = xen_attach,
    .describe = xen_describe,
    .plan_send = xen_plan_send,
    .remember = xen_remember,
    .mirror_start = xen_mirror_start,
    .mirror_state = xen_mirror_state,
    .mirror_wait = xen_mirror_wait,
    .mirror_stop = xen_mirror_stop,
    .ram_send = xen_ram_send,
    .source_mark = xen_source_mark,
    .source_is_unwritten = xen_source_is_unwritten,
    .paused_at = xen_paused_at,
    .paused_for = xen_paused_for,
    .source_state = xen_source_state,
    .source_unchanged = xen_source_unchanged,
    .source_resume = xen_source_resume,
    .source_fence = xen_source_fence,
    .source_unfence = xen_source_unfence,
    .nobody_else = xen_nobody_else,
    .source_destroy = xen_source_destroy,
    .check_target = xen_check_target,
    .plan_recv = xen_plan_recv,
    .create_machine = xen_create_machine,
    .start_device_model = xen_start_device_model,
    .open_lane = xen_open_lane,
    .flush_disks = xen_flush_disks,
    .ram_listen = xen_ram_listen,
    .ram_recv = xen_ram_recv,
    .seal = xen_seal,
    .remember_sealed = xen_remember_sealed,
    .copy_never_ran = xen_copy_never_ran,
    .disks_have_names = xen_disks_have_names,
    .before_resume = xen_before_resume,
    .target_resume = xen_target_resume,
    .after_resume = xen_after_resume,
    .target_state = xen_target_state,
    .runs_again = xen_runs_again,
    .target_destroy = xen_target_destroy,
    .disks_discard = xen_disks_discard,
    .disks_keep = xen_disks_keep,
    .reattach = reattach,
};

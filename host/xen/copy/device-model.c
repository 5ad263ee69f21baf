/* Start the device model on the empty domain, where it waits for its state; and end it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "host/line-files.h"
#include "host/system/launch.h"
#include "host/system/program.h"
#include "host/xen/argv/argv.h"
#include "host/xen/copy/copy.h"
#include "host/xen/monitor/monitor.h"
#include "xmig/facts.h"
#include "xmig/process.h"
#include "xmig/text.h"

enum {
    START_MS = 120000,
    TRY_MS = 10000,
    RESUME_MS = 20000,
    POLL_MS = 50,
    END_MS = 20000,
    KILL_MS = 10000,
    LOG_TAIL = 4096
};

/* ---- its process ---- */

void device_model_explain(struct xen_copy *vm, struct error *err)
{
    AUTO_CLOSE int fd = vm->log ? open(vm->log, O_RDONLY | O_CLOEXEC) : -1;
    AUTO_FREE char *text = NULL;
    AUTO_FREE char *line = NULL;
    struct error said = *err;

    if (fd >= 0 && !process_lives(vm->pid, vm->start_time))
        launch_await_last_words(fd);
    text = program_tail(fd, LOG_TAIL);
    line = program_last_line(text);

    if (*line)
        error_set(err, said.kind, "%s (the device model's last words: %s)", said.text, line);
}

/* xmig launch becomes env(1), which sets the variable that libxl sets, and then becomes the device
 * model.
 */
static const char **command_line(const struct xen_copy *vm, const cJSON *words, const char *umask,
                                 const char *domid)
{
    static const char *const waiting[] = { "-S", "-incoming", "defer", NULL };
    size_t count = (size_t)cJSON_GetArraySize(words);
    const char **line = must(calloc(count + 16, sizeof(*line)));
    size_t used = 0;
    const cJSON *word;

    line[used++] = "/proc/self/exe";
    line[used++] = "launch";
    line[used++] = umask;
    line[used++] = "--";
    line[used++] = "env";
    line[used++] = domid;
    line[used++] = vm->program;
    cJSON_ArrayForEach (word, words)
        line[used++] = word->valuestring;
    for (size_t i = 0; waiting[i]; i++)
        line[used++] = waiting[i];
    return line;
}

static int open_log(struct xen_copy *vm, struct error *err)
{
    int fd;

    free(vm->log);
    vm->log = formatted("/var/log/xen/qemu-dm-%s.log", vm->params.name);
    fd = open(vm->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        error_set(err, ERROR_SYSTEM, "cannot open '%s': %m", vm->log);
    return fd;
}

static bool note_process(struct xen_copy *vm, struct error *err)
{
    AUTO_JSON cJSON *fact = fact_new(FACT_DEVICE_MODEL);

    json_add_uint(fact, "domid", vm->xen.domid);
    json_add_uint(fact, "device_model", (uint64_t)vm->pid);
    json_add_uint(fact, "started", vm->start_time);
    return vm->base.context.note(vm->base.context.note_arg, fact, err);
}

/* `xl destroy` ends the process whose number is in this node. */
static bool start_process(struct xen_copy *vm, struct error *err)
{
    AUTO_JSON cJSON *words = xen_argv_number(vm->params.xen.words, vm->xen.domid);
    AUTO_FREE char *domid = formatted("XEN_DOMAIN_ID=%u", vm->xen.domid);
    AUTO_FREE char *umask = formatted("--umask=%o", (unsigned)vm->params.xen.umask);
    AUTO_FREE const char **line = command_line(vm, words, umask, domid);
    AUTO_CLOSE int log = open_log(vm, err);
    AUTO_FREE char *pid = NULL;

    if (log < 0)
        return false;
    vm->child = child_start(vm->base.context.loop, line, -1, log, log, err);
    if (!vm->child)
        return false;
    vm->pid = child_pid(vm->child);
    vm->start_time = process_start_time(vm->pid);
    pid = formatted("%d", (int)vm->pid);
    return store_write(vm->xen.xs, err, pid, "/local/domain/%u/image/device-model-pid",
                       vm->xen.domid) &&
           note_process(vm, err);
}

static bool has_socket(const struct xen_copy *vm)
{
    AUTO_FREE char *path = formatted("/var/run/xen/qmp-libxenstat-%u", vm->xen.domid);

    return access(path, F_OK) == 0;
}

/* The socket exists a moment before QEMU listens on it. */
static bool await_monitor(struct xen_copy *vm, struct error *err)
{
    uint64_t deadline = loop_now_ms() + START_MS;
    int status;

    for (;;) {
        struct error why = { 0 };

        if (has_socket(vm) && xen_connect(&vm->xen, TRY_MS, &why))
            return true;
        if (child_ended(vm->child, &status))
            return error_set(err, ERROR_SYSTEM, "it has ended with status %d", status);
        if (loop_now_ms() >= deadline)
            return error_set(err, ERROR_TIMEOUT, "it has not opened its monitor: %s", why.text);
        if (!loop_pause(vm->base.context.loop, POLL_MS, err))
            return false;
    }
}

static bool check_waiting(struct xen_copy *vm, struct error *err)
{
    struct qmp_status status;

    if (!qmp_query_status(vm->xen.q, &status, err))
        return false;
    return !strcmp(status.text, "inmigrate") ||
           error_set(err, ERROR_SYSTEM, "it is '%s', and does not wait for a migration",
                     status.text);
}

/* Noted also when it has failed: what it has made by then is removed. */
static bool note_files(struct xen_copy *vm, const cJSON *to_come, struct error *err)
{
    AUTO_JSON cJSON *paths = xen_argv_number(to_come, vm->xen.domid);

    cJSON_Delete(vm->files);
    vm->files = line_files_fact(paths);
    return vm->base.context.note(vm->base.context.note_arg, vm->files, err);
}

/* With shared images the device model must not open them for writing before the handover. */
static bool set_capabilities(struct xen_copy *vm, struct error *err)
{
    static const char *const events[] = { "events", NULL };
    static const char *const late[] = { "events", "late-block-activate", NULL };

    return qmp_set_capabilities(vm->xen.q, vm->base.context.options.mirrors_disks ? events : late,
                                err);
}

/* Start xmig's monitor, as xl starts one for each domain. Do it now: after the handover it would
 * lengthen the guest's pause.
 */
static void watch(struct xen_copy *vm)
{
    struct error err = { 0 };

    if (!monitor_start(vm->base.context.loop, vm->xen.domid, &err))
        event_say(&vm->base.context.events, EVENT_WARNING, NULL,
                  "nobody will watch the guest: %s; start 'xmig monitor %u'", err.text,
                  vm->xen.domid);
}

/* ---- the public face ---- */

static bool start(struct xen_copy *vm, struct error *err)
{
    AUTO_JSON cJSON *to_come = line_files_to_come(&vm->line);
    bool runs = line_pipes_make(&vm->line, geteuid(), err) && start_process(vm, err) &&
                await_monitor(vm, err);

    if (note_files(vm, to_come, runs ? err : NULL) && runs && check_waiting(vm, err) &&
        set_capabilities(vm, err) && devices_await_disks(vm, err) && exports_open(vm, err)) {
        qmp_guard(vm->xen.q, true);
        return true;
    }
    device_model_explain(vm, err);
    return error_prefix(err, "the device model");
}

bool xen_start_device_model(struct copy *copy, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);

    if (!devices_write_early(vm, err) ||
        !(vm->xen.has_model
              ? start(vm, err)
              : note_process(vm, err) && devices_await_disks(vm, err) && exports_open(vm, err)) ||
        !toolstack_view_write(vm, err))
        return false;
    watch(vm);
    return true;
}

bool device_model_goes_on(struct xen_copy *vm, struct error *err)
{
    return !vm->xen.has_model ||
           (xen_connect(&vm->xen, RESUME_MS, err) && qmp_cont(vm->xen.q, err));
}

static bool is_alive(const struct xen_copy *vm)
{
    return process_lives(vm->pid, vm->start_time);
}

/* Ask the device model to end first: then it removes its backends' nodes. */
bool device_model_end(struct xen_copy *vm, struct error *err)
{
    uint64_t deadline = loop_now_ms() + END_MS;

    xen_disconnect(&vm->xen);
    if (is_alive(vm))
        kill(vm->pid, SIGTERM);
    while (is_alive(vm) && loop_now_ms() < deadline)
        if (!loop_pause(vm->base.context.loop, POLL_MS, NULL))
            break;
    if (!process_kill(vm->pid, vm->start_time, KILL_MS, err))
        return false;
    child_free(steal(vm->child));
    vm->pid = 0;
    return true;
}

/* Starts the target's QEMU, and removes what it leaves behind. QEMU gets its own session, to
 * outlive xmig, and its own systemd scope where there is systemd, to outlive the ssh login.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "qmp/argv/keyvals.h"
#include "host/line-files.h"
#include "host/system/launch.h"
#include "host/system/program.h"
#include "host/qemu/copy/copy.h"
#include "host/qemu/copy/launch-words.h"
#include "xmig/process.h"
#include "xmig/facts.h"
#include "xmig/text.h"

enum {
    START_MS = 300000, /* QEMU may have to preallocate hundreds of gigabytes of RAM first */
    POLL_MS = 20,
    LOG_TAIL = 4096,
};

/* ---- sockets ---- */

static bool make_socket_directory(struct qemu_copy *vm, struct error *err)
{
    AUTO_FREE char *dir = formatted("%s/qemu", vm->base.context.runtime_dir);

    if (mkdir(dir, 0700) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot make the directory '%s': %m", dir);
    return qemu_let_in(&vm->qemu, dir, vm->uid, err);
}

/* ---- the command line ---- */

static void add_monitor(struct qemu_copy *vm, struct launch_words *line)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    AUTO_FREE char *text = NULL;

    keyvals_parse("socket,id=" ARGV_OWN_MONITOR ",server=on,wait=off", &kv, NULL);
    keyvals_set(&kv, "path", vm->qemu.socket);
    text = keyvals_print(&kv);
    launch_words_append(line, "-chardev");
    launch_words_append(line, "%s", text);
    launch_words_append(line, "-mon");
    launch_words_append(line, "chardev=" ARGV_OWN_MONITOR ",mode=control");
}

static void make_line(struct qemu_copy *vm, struct launch_words *line)
{
    AUTO_JSON cJSON *words = queues_let_in(vm);
    const cJSON *word;

    launch_words_begin(vm, "qemu", line);
    launch_words_append(line, "%s", vm->program);
    cJSON_ArrayForEach (word, words)
        launch_words_append(line, "%s", word->valuestring);
    add_monitor(vm, line);
    launch_words_append(line, "-S");
    launch_words_append(line, "-incoming");
    launch_words_append(line, "defer");
}

/* ---- the log ---- */

bool qemu_explain(struct qemu_copy *vm, struct error *err)
{
    AUTO_CLOSE int fd = vm->log ? open(vm->log, O_RDONLY | O_CLOEXEC) : -1;
    AUTO_FREE char *tail = NULL;
    AUTO_FREE char *line = NULL;
    struct error why;

    if (!err || fd < 0)
        return false;
    if (!process_lives(vm->qemu.pid, vm->qemu.start_time))
        launch_await_last_words(fd);
    tail = program_tail(fd, LOG_TAIL);
    line = program_last_line(tail);
    why = *err;
    return error_set(err, why.kind, "%s; QEMU's last words: '%s' (all of them in '%s')", why.text,
                     line, vm->log);
}

static int open_log(struct qemu_copy *vm, struct error *err)
{
    int fd;

    free(vm->log);
    vm->log = formatted("%s/%s", vm->base.context.state_dir, "qemu.log");
    fd = open(vm->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        error_set(err, ERROR_SYSTEM, "cannot open '%s': %m", vm->log);
    return fd;
}

/* ---- the process ---- */

/* The fact is written before QEMU starts: if xmig dies with no pid noted, recover finds QEMU by
 * the socket's path in its command line.
 */
static bool note_machine(struct qemu_copy *vm, struct error *err)
{
    cJSON *fact = fact_new(FACT_MACHINE);

    cJSON_AddStringToObject(fact, "socket", vm->qemu.socket);
    cJSON_AddStringToObject(fact, "log", vm->log);
    cJSON_AddItemToObject(fact, "files", line_files_to_come(&vm->line));
    cJSON_Delete(vm->machine);
    vm->machine = fact;
    return vm->base.context.note(vm->base.context.note_arg, fact, err);
}

static bool note_process(struct qemu_copy *vm, struct error *err)
{
    AUTO_JSON cJSON *fact = fact_new(FACT_PROCESS);

    json_add_uint(fact, "qemu_pid", (uint64_t)vm->qemu.pid);
    json_add_uint(fact, "start_time", vm->qemu.start_time);
    return vm->base.context.note(vm->base.context.note_arg, fact, err);
}

static bool launch(struct qemu_copy *vm, int log, struct error *err)
{
    struct launch_words line = { 0 };

    make_line(vm, &line);
    vm->child =
        child_start(vm->base.context.loop, (const char *const *)line.words, -1, log, log, err);
    launch_words_done(&line);
    if (!vm->child)
        return false;
    vm->qemu.pid = child_pid(vm->child);
    vm->qemu.start_time = process_start_time(vm->qemu.pid);
    return note_process(vm, err);
}

/* Retry: QEMU creates the socket, and then listens at it, some time after its start. */
static bool connect_to(struct qemu_copy *vm, struct error *err)
{
    uint64_t deadline = loop_now_ms() + START_MS;
    struct error why = { 0 };
    int status;

    while (!(vm->qemu.q = qmp_connect(vm->base.context.loop, vm->qemu.socket, START_MS, &why))) {
        if (child_ended(vm->child, &status))
            return error_set(err, ERROR_SYSTEM, "QEMU ended at once, with status %d", status);
        if (loop_now_ms() >= deadline)
            return error_set(err, ERROR_TIMEOUT, "QEMU does not start within %d s: %s",
                             START_MS / 1000, why.text);
        if (!loop_pause(vm->base.context.loop, POLL_MS, err))
            return false;
    }
    qmp_guard(vm->qemu.q, true);
    return true;
}

bool qemu_start(struct qemu_copy *vm, struct error *err)
{
    AUTO_CLOSE int log = -1;

    if (!make_socket_directory(vm, err))
        return false;
    free(vm->qemu.socket);
    vm->qemu.socket = qemu_socket(vm, "qmp");
    log = open_log(vm, err);
    if (log < 0 || !note_machine(vm, err) || !qemu_write_start_line(vm, err) || !tpm_start(vm, err))
        return false;
    if (!line_pipes_make(&vm->line, vm->uid, err) || !launch(vm, log, err)) {
        (void)qemu_note_files(vm, NULL);
        return false;
    }
    if (connect_to(vm, err))
        return qemu_note_files(vm, err);
    (void)qemu_note_files(vm, NULL);
    return qemu_explain(vm, err);
}

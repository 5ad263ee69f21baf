/* Finding the VM to be moved, and refusing early what cannot be. */
#include <errno.h>
#include <stdio.h>

#include "host/qemu/qemu.h"

/* A socket's path may mean something else here than in QEMU's name space. */
static bool connect_to(struct qemu *vm, const char *path, pid_t pid, struct error *err)
{
    struct qmp *q = qmp_connect(vm->base.context.loop, path, QMP_CONNECT_MS, err);

    if (!q)
        return false;
    if (pid && qmp_peer_pid(q) && qmp_peer_pid(q) != pid) {
        qmp_free(q);
        return error_set(err, ERROR_REFUSED, "at '%s' another process listens, not %d", path,
                         (int)pid);
    }
    vm->q = q;
    vm->socket = must(strdup(path));
    return true;
}

static bool attach_by_socket(struct qemu *vm, const char *path, struct error *err)
{
    pid_t pid;

    if (!connect_to(vm, path, 0, err)) {
        if (err && strstr(err->text, strerror(EACCES)))
            qemu_advise_sudo(err);
        return false;
    }
    pid = qmp_peer_pid(vm->q);
    if (pid == 0)
        return error_set(err, ERROR_REFUSED, "the QEMU at '%s' is not a process of this host",
                         path);
    return qemu_process_read(pid, &vm->source.process, err);
}

static bool attach_by_name(struct qemu *vm, const char *name, struct error *err)
{
    struct qemu_process *process = &vm->source.process;
    AUTO_JSON cJSON *sockets = NULL;
    const cJSON *socket;

    if (!qemu_process_find(name, process, err))
        return false;
    sockets = argv_qmp_sockets(process->words, process->cwd);
    if (!sockets->child)
        return error_set(err, ERROR_REFUSED,
                         "QEMU '%s' (process %d) has no QMP socket that xmig can reach: start it "
                         "with -qmp unix:PATH,server=on,wait=off",
                         name, (int)process->pid);
    cJSON_ArrayForEach (socket, sockets)
        if (connect_to(vm, socket->valuestring, process->pid, err))
            return true;
    return false;
}

static bool check_runs(struct qemu *vm, struct error *err)
{
    struct qmp_status status;

    if (!qmp_query_status(vm->q, &status, err))
        return false;
    if (!status.running)
        return error_set(err, ERROR_REFUSED,
                         "the VM does not run (QEMU says '%s'): only a running VM is moved",
                         status.text);
    return true;
}

/* QEMU knows of devices that cannot be moved. */
static bool check_blockers(struct qemu *vm, struct error *err)
{
    AUTO_JSON cJSON *migration = qmp_query_migrate(vm->q, err);
    const cJSON *reasons = cJSON_GetObjectItemCaseSensitive(migration, "blocked-reasons");
    const char *status = json_string_or(migration, "status", "none");
    const cJSON *reason;

    if (!migration)
        return false;
    cJSON_ArrayForEach (reason, reasons)
        if (cJSON_IsString(reason) &&
            !error_goes_on(err, error_set(err, ERROR_REFUSED, "QEMU cannot move this VM: %s",
                                          reason->valuestring)))
            return false;
    if (!strcmp(status, "none") || !strcmp(status, "completed") || !strcmp(status, "failed") ||
        !strcmp(status, "cancelled"))
        return true;
    return error_set(err, ERROR_REFUSED, "the VM is being moved by somebody else (migration '%s')",
                     status);
}

bool qemu_attach(struct host *host, const char *name, struct error *err)
{
    struct qemu *vm = qemu_of(host);
    struct source *source = &vm->source;

    if (strchr(name, '/') ? !attach_by_socket(vm, name, err) : !attach_by_name(vm, name, err))
        return false;
    vm->pid = source->process.pid;
    vm->start_time = source->process.start_time;
    if (source->process.name)
        snprintf(host->called, sizeof(host->called), "%s", source->process.name);
    source->name = must(strdup(source->process.name ? source->process.name : "vm"));
    if (!error_goes_on(err, check_runs(vm, err)) || !error_goes_on(err, check_blockers(vm, err)) ||
        !error_goes_on(err, qmp_refuse_block_jobs(vm->q, err)))
        return false;
    source->heard_runs = qmp_run_events(vm->q);
    qmp_guard(vm->q, true);
    return true;
}

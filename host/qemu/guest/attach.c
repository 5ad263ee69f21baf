/* Finding the VM to be moved, and refusing early what cannot be. */
#include <errno.h>
#include <stdio.h>

#include "host/qemu/guest/guest.h"

/* A socket's path may mean something else here than in QEMU's name space. */
static bool connect_to(struct qemu_guest *vm, const char *path, pid_t pid, struct error *err)
{
    struct qmp *q = qmp_connect(vm->base.context.loop, path, QMP_CONNECT_MS, err);

    if (!q && err && err->kind == ERROR_PROTOCOL) {
        err->kind = ERROR_REFUSED;
        return error_append(err, ": that is no QMP socket, but perhaps the human monitor's or "
                                 "another program's; start the VM with -qmp "
                                 "unix:PATH,server=on,wait=off, and name that PATH");
    }
    if (!q)
        return false;
    if (pid && qmp_peer_pid(q) && qmp_peer_pid(q) != pid) {
        qmp_free(q);
        return error_set(err, ERROR_REFUSED, "at '%s' another process listens, not %d", path,
                         (int)pid);
    }
    vm->qemu.q = q;
    vm->qemu.socket = must(strdup(path));
    return true;
}

static bool attach_by_socket(struct qemu_guest *vm, const char *path, struct error *err)
{
    pid_t pid;

    if (!connect_to(vm, path, 0, err)) {
        if (err && strstr(err->text, strerror(EACCES)))
            qemu_advise_sudo(err);
        return false;
    }
    pid = qmp_peer_pid(vm->qemu.q);
    if (pid == 0)
        return error_set(err, ERROR_REFUSED, "the QEMU at '%s' is not a process of this host",
                         path);
    return qemu_process_read(pid, &vm->process, err) && qemu_managed_check(vm, err);
}

static bool attach_by_name(struct qemu_guest *vm, const char *name, struct error *err)
{
    struct qemu_process *process = &vm->process;
    AUTO_JSON cJSON *sockets = NULL;
    const cJSON *socket;

    if (!qemu_process_find(name, process, err) || !qemu_managed_check(vm, err))
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

static bool check_runs(struct qemu_guest *vm, struct error *err)
{
    struct qmp_status status;

    if (!qmp_query_status(vm->qemu.q, &status, err))
        return false;
    if (!status.running)
        return error_set(err, ERROR_REFUSED,
                         "the VM does not run (QEMU says '%s'): only a running VM is moved; let it "
                         "run first",
                         status.text);
    return true;
}

/* QEMU knows of devices that cannot be moved. */
static bool check_blockers(struct qemu_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *migration = qmp_query_migrate(vm->qemu.q, err);
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

bool qemu_attach(struct guest *guest, const char *name, struct error *err)
{
    struct qemu_guest *vm = qemu_guest_of(guest);

    if (strchr(name, '/') ? !attach_by_socket(vm, name, err) : !attach_by_name(vm, name, err))
        return false;
    vm->qemu.pid = vm->process.pid;
    vm->qemu.start_time = vm->process.start_time;
    if (vm->process.name)
        snprintf(guest->called, sizeof(guest->called), "%s", vm->process.name);
    vm->name = must(strdup(vm->process.name ? vm->process.name : "vm"));
    if (!error_goes_on(err, check_runs(vm, err)) || !error_goes_on(err, check_blockers(vm, err)) ||
        !error_goes_on(err, qmp_refuse_block_jobs(vm->qemu.q, err)))
        return false;
    vm->heard_runs = qmp_run_events(vm->qemu.q);
    qmp_guard(vm->qemu.q, true);
    return true;
}

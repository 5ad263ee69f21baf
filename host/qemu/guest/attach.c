/* Finding the VM to be moved, and refusing early what cannot be. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/qemu/guest/guest.h"
#include "xmig/text.h"

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

static bool check_start_dir(struct qemu_guest *vm, struct error *err)
{
    const struct qemu_process *process = &vm->process;

    if (process->start_dir_known)
        return true;
    if (!strcmp(process->start_dir, "/"))
        return error_set(err, ERROR_REFUSED,
                         "QEMU was started with -daemonize and names on its command line that do "
                         "not begin with '/', and nothing tells in which directory: start it with "
                         "whole paths");
    event_say(&vm->base.context.events, EVENT_WARNING, NULL,
              "names on QEMU's command line that do not begin with '/' are taken to be in '%s', as "
              "its environment says (PWD): not all of them are there now",
              process->start_dir);
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
    return qemu_process_read(pid, &vm->process, err) && qemu_managed_check(vm, err) &&
           check_start_dir(vm, err);
}

/* A port's number says nothing about a QEMU in another network name space. */
static bool check_network(const char *address, pid_t pid, struct error *err)
{
    AUTO_FREE char *theirs = formatted("/proc/%d/ns/net", (int)pid);
    struct stat ours, other;

    if (stat("/proc/self/ns/net", &ours) == 0 && stat(theirs, &other) == 0 &&
        ours.st_ino == other.st_ino)
        return true;
    return error_set(err, ERROR_REFUSED,
                     "the QMP monitor of process %d is at '%s', in another network name space: "
                     "start xmig there (nsenter -t %d -n)",
                     (int)pid, address, (int)pid);
}

static bool connect_as_said(struct qemu_guest *vm, const char *address, struct error *err)
{
    pid_t pid = vm->process.pid;

    return (*address == '/' || check_network(address, pid, err)) &&
           connect_to(vm, address, pid, err);
}

static bool attach_by_name(struct qemu_guest *vm, const char *name, struct error *err)
{
    struct qemu_process *process = &vm->process;
    AUTO_JSON cJSON *sockets = NULL;
    const cJSON *socket;

    if (!qemu_process_find(name, process, err) || !qemu_managed_check(vm, err) ||
        !check_start_dir(vm, err))
        return false;
    sockets = argv_qmp_sockets(process->words, process->start_dir);
    if (!sockets->child)
        return error_set(err, ERROR_REFUSED,
                         "QEMU '%s' (process %d) has no QMP socket that xmig can reach: start it "
                         "with -qmp unix:PATH,server=on,wait=off",
                         name, (int)process->pid);
    cJSON_ArrayForEach (socket, sockets)
        if (connect_as_said(vm, socket->valuestring, err))
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

/* What a person can do about a reason of QEMU's: "non-migratable device: 0000:00:02.0/nvme". */
static const char *cure_of(const char *reason)
{
    static const char device[] = "non-migratable device";

    if (strncmp(reason, device, strlen(device)) != 0)
        return "";
    return strstr(reason, "/nvme") ? ": QEMU moves NVMe disks from 11.1 on; restart the VM with "
                                     "it, or with another kind of disk"
                                   : ": unplug the device, or restart the VM without it";
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
            !error_goes_on(err, error_set(err, ERROR_REFUSED, "QEMU cannot move this VM: %s%s",
                                          reason->valuestring, cure_of(reason->valuestring))))
            return false;
    if (!strcmp(status, "none") || !strcmp(status, "completed") || !strcmp(status, "failed") ||
        !strcmp(status, "cancelled"))
        return true;
    return error_set(err, ERROR_REFUSED, "the VM is being moved by somebody else (migration '%s')",
                     status);
}

/* ---- what the command line leaves open ---- */

/* In seconds of the wall clock; 0: not known. */
static time_t started_at(const struct qemu_process *process)
{
    uint64_t age_ticks = process->start_time;
    struct timespec now, up;

    if (clock_gettime(CLOCK_REALTIME, &now) < 0 || clock_gettime(CLOCK_BOOTTIME, &up) < 0)
        return 0;
    return now.tv_sec - up.tv_sec + (time_t)(age_ticks / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* QEMU has read the file at its start; what it says now may be another machine. */
static void tell_changed_configs(struct qemu_guest *vm)
{
    time_t start = started_at(&vm->process);
    const cJSON *path;
    struct stat st;

    cJSON_ArrayForEach (path, vm->process.configs)
        if (start && stat(path->valuestring, &st) == 0 && st.st_mtime > start + 1)
            event_say(&vm->base.context.events, EVENT_WARNING, NULL,
                      "'%s' (-readconfig) was changed after QEMU's start: the VM is moved as it "
                      "says now, as far as QEMU agrees",
                      path->valuestring);
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
    tell_changed_configs(vm);
    if (!error_goes_on(err, check_runs(vm, err)) || !error_goes_on(err, check_blockers(vm, err)) ||
        !error_goes_on(err, qmp_refuse_block_jobs(vm->qemu.q, err)))
        return false;
    vm->heard_runs = qmp_run_events(vm->qemu.q);
    qmp_guard(vm->qemu.q, true);
    return true;
}

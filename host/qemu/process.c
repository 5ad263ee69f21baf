/* The QEMU process: alive or not, reachable or not. */
#include <stdio.h>
#include <sys/stat.h>

#include "host/qemu/qemu.h"
#include "xmig/process.h"
#include "xmig/text.h"

enum {
    ASK_MS = 5000,
    END_GRACE_MS = 2000, /* between the loss of the connection and the end of the process */
    POLL_MS = 20,
};

/* "/machine/peripheral/disk0/virtio-backend" → "disk0"; other paths have no short form. */
char *qemu_device_id(const char *qdev)
{
    static const char named[] = "/machine/peripheral/";

    if (*qdev != '/')
        return must(strdup(qdev));
    if (strncmp(qdev, named, strlen(named)) != 0)
        return must(strdup(""));
    qdev += strlen(named);
    return must(strndup(qdev, strcspn(qdev, "/")));
}

void qemu_disconnect(struct qemu *vm)
{
    vm->watched = false;
    qmp_free(steal(vm->q));
}

bool qemu_reconnect(struct qemu *vm, struct error *err)
{
    if (vm->q && !qmp_lost(vm->q, NULL))
        return true;
    qemu_disconnect(vm);
    vm->q = qmp_connect(vm->context->loop, vm->socket, ASK_MS, err);
    return vm->q != NULL;
}

static bool lives(const struct qemu *vm)
{
    return process_lives(vm->pid, vm->start_time);
}

static bool has_ended(void *arg)
{
    return !lives(arg);
}

/* Nothing tells of the end of a process that is not our child: look again and again. Not
 * through the loop when that has been interrupted, for then it does not wait.
 */
bool qemu_await_end(struct qemu *vm, uint64_t timeout_ms)
{
    uint64_t deadline = loop_now_ms() + timeout_ms;
    const struct timespec poll = { .tv_nsec = POLL_MS * 1000000L };

    while (!has_ended(vm) && loop_now_ms() < deadline)
        if (!loop_pause(vm->context->loop, POLL_MS, NULL))
            nanosleep(&poll, NULL);
    return has_ended(vm);
}

enum run_state qemu_run_state(struct qemu *vm)
{
    struct qmp_status status;

    if (!lives(vm))
        return RUN_GONE;
    if (qemu_reconnect(vm, NULL) && qmp_query_status(vm->q, &status, NULL))
        return status.running ? RUN_RUNNING : RUN_PAUSED;
    /* A connected QEMU that does not answer hangs, or our call was interrupted. */
    if (vm->q && !qmp_lost(vm->q, NULL))
        return lives(vm) ? RUN_UNKNOWN : RUN_GONE;
    return qemu_await_end(vm, END_GRACE_MS) ? RUN_GONE : RUN_UNKNOWN;
}

/* A directory must let others pass, though not read. */
static bool open_way(const char *dir, struct error *err)
{
    struct stat st;

    if (stat(dir, &st) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot look at '%s': %m", dir);
    if ((st.st_mode & S_IXOTH) || chmod(dir, (st.st_mode & 07777) | S_IXGRP | S_IXOTH) == 0)
        return true;
    return error_set(err, ERROR_SYSTEM, "cannot let QEMU's user into '%s': %m", dir);
}

bool qemu_let_in(struct qemu *vm, const char *path, uid_t uid, struct error *err)
{
    const char *dir = vm->context->runtime_dir;
    AUTO_FREE char *parent = formatted("%s/%s", dir, "..");

    if (uid == geteuid())
        return true;
    if (!open_way(parent, err) || !open_way(dir, err))
        return false;
    if (chown(path, uid, (gid_t)-1) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot give '%s' to QEMU's user: %m", path);
    return true;
}

/* Export what the device model has not opened, because the kernel is to serve it: each disk by a
 * qemu-nbd of its own, which ends with the disk's lane. A lane may outlive this process: so
 * qemu-nbd is noted, and ended with the copy.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/system/program.h"
#include "host/xen/copy/copy.h"
#include "xmig/facts.h"
#include "xmig/process.h"
#include "xmig/text.h"

enum {
    END_MS = 20000,
    KILL_MS = 10000
};

struct volume_export {
    const struct disk_params *disk;
    struct child *child;
    int fd; /* for whoever opens the lane; -1: somebody has */
    struct volume_export *next;
};

bool volume_export_check(struct error *err)
{
    AUTO_FREE char *program = program_find("qemu-nbd");

    return program || error_set(err, ERROR_REFUSED,
                                "the kernel is to serve it, and there is no qemu-nbd at the target "
                                "to fill it with: install qemu-utils");
}

/* ---- its beginning ---- */

/* Two ends of a connection to a socket that listens, which qemu-nbd takes, and which has a name for
 * a moment only.
 */
static bool make_ends(const char *path, int *listening, int *connected, struct error *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    *connected = -1;
    *listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*listening < 0 || strlen(path) >= sizeof(addr.sun_path))
        return error_set(err, ERROR_SYSTEM, "cannot make a socket '%s': %m", path);
    memcpy(addr.sun_path, path, strlen(path) + 1);
    if (bind(*listening, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(*listening, 1) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot listen at '%s': %m", path);
    *connected = connect_unix(path, err);
    unlink(path);
    return *connected >= 0;
}

/* As systemd starts a program with a socket. */
static struct child *start_server(struct xen_copy *vm, const struct disk_params *disk,
                                  int listening, struct error *err)
{
    const char *const words[] = {
        "sh",
        "-c",
        "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec qemu-nbd \"$@\"",
        "sh",
        "--format=raw",
        "--cache=none",
        "--discard=unmap",
        "-x",
        disk->name,
        disk->image,
        NULL
    };

    return child_start(vm->base.context.loop, words, listening, -1, -1, err);
}

static bool note_server(struct xen_copy *vm, pid_t pid, struct error *err)
{
    cJSON *fact = fact_new(FACT_EXPORT);

    json_add_uint(fact, "process", (uint64_t)pid);
    json_add_uint(fact, "started", process_start_time(pid));
    volume_exports_found(vm, fact);
    cJSON_Delete(fact);
    return vm->base.context.note(
        vm->base.context.note_arg,
        cJSON_GetArrayItem(vm->servers, cJSON_GetArraySize(vm->servers) - 1), err);
}

bool volume_export_start(struct xen_copy *vm, const struct disk_params *disk, struct error *err)
{
    AUTO_FREE char *path = formatted("%s/nbd-%s.sock", vm->base.context.runtime_dir, disk->name);
    struct volume_export *export = must(calloc(1, sizeof(*export)));
    AUTO_CLOSE int listening = -1;

    *export = (struct volume_export){ .disk = disk, .fd = -1, .next = vm->exports };
    vm->exports = export;
    if (!make_ends(path, &listening, &export->fd, err))
        return false;
    export->child = start_server(vm, disk, listening, err);
    return export->child && note_server(vm, child_pid(export->child), err);
}

bool volume_export_open(struct xen_copy *vm, const char *disk, int *fd, struct error *err)
{
    struct volume_export *export = vm->exports;

    while (export && strcmp(export->disk->name, disk) != 0)
        export = export->next;
    if (!export)
        return false;
    *fd = export->fd;
    export->fd = -1;
    if (*fd < 0)
        error_set(err, ERROR_REFUSED, "the lane of disk '%s' has been opened before", disk);
    return true;
}

/* ---- its end ---- */

void volume_exports_found(struct xen_copy *vm, const cJSON *fact)
{
    if (!vm->servers)
        vm->servers = must(cJSON_CreateArray());
    cJSON_AddItemToArray(vm->servers, must(cJSON_Duplicate(fact, true)));
}

bool volume_exports_close(struct xen_copy *vm, struct error *err)
{
    struct volume_export *export;
    int status;

    for (export = vm->exports; export; export = export->next)
        if (export->fd >= 0 || !child_wait(export->child, END_MS, &status, err))
            return export->fd >= 0
                       ? error_set(err, ERROR_SYSTEM, "disk '%s' has never been sent",
                                   export->disk->name)
                       : error_prefix(err, "disk '%s': ending its export", export->disk->name);
    return true;
}

/* Nothing that still comes by a lane is written any more. */
bool volume_exports_end(struct xen_copy *vm, struct error *err)
{
    const cJSON *server;

    cJSON_ArrayForEach (server, vm->servers)
        if (!process_kill((pid_t)json_uint_or(server, "process", 0),
                          json_uint_or(server, "started", 0), KILL_MS, err))
            return error_prefix(err, "ending the export of a disk");
    return true;
}

void volume_exports_done(struct xen_copy *vm)
{
    while (vm->exports) {
        struct volume_export *export = vm->exports;

        vm->exports = export->next;
        child_free(export->child);
        if (export->fd >= 0)
            close(export->fd);
        free(export);
    }
    cJSON_Delete(steal(vm->servers));
}

/* Export what the device model has not opened, because the kernel is to serve it: each disk by a
 * qemu-nbd of its own, which begins with the disk's lane and ends with it, whatever becomes of this
 * process.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include "host/system/program.h"
#include "host/xen/copy/copy.h"
#include "xmig/text.h"

enum {
    END_MS = 20000
};

struct volume_export {
    const struct disk_params *disk;
    struct child *child; /* NULL: its lane has not been opened */
    struct volume_export *next;
};

bool volume_export_check(struct error *err)
{
    AUTO_FREE char *program = program_find("qemu-nbd");

    return program || error_set(err, ERROR_REFUSED,
                                "the kernel is to serve it, and there is no qemu-nbd at the target "
                                "to fill it with: install qemu-utils");
}

void volume_export_add(struct xen_copy *vm, const struct disk_params *disk)
{
    struct volume_export *export = must(calloc(1, sizeof(*export)));

    *export = (struct volume_export){ .disk = disk, .next = vm->exports };
    vm->exports = export;
}

/* ---- its lane ---- */

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

bool volume_export_open(struct xen_copy *vm, const char *disk, int *fd, struct error *err)
{
    AUTO_FREE char *path = formatted("%s/nbd-%s.sock", vm->base.context.runtime_dir, disk);
    struct volume_export *export = vm->exports;
    AUTO_CLOSE int listening = -1;

    while (export && strcmp(export->disk->name, disk) != 0)
        export = export->next;
    *fd = -1;
    if (!export)
        return false;
    child_free(steal(export->child));
    if (make_ends(path, &listening, fd, err))
        export->child = start_server(vm, export->disk, listening, err);
    if (!export->child && *fd >= 0)
        cleanup_close(fd);
    if (!export->child)
        *fd = -1;
    return true;
}

/* ---- its end ---- */

bool volume_exports_close(struct xen_copy *vm, struct error *err)
{
    struct volume_export *export;
    int status;

    for (export = vm->exports; export; export = export->next)
        if (export->child && !child_wait(export->child, END_MS, &status, err))
            return error_prefix(err, "disk '%s': ending its export", export->disk->name);
    volume_exports_done(vm);
    return true;
}

void volume_exports_done(struct xen_copy *vm)
{
    while (vm->exports) {
        struct volume_export *export = vm->exports;

        vm->exports = export->next;
        child_free(export->child);
        free(export);
    }
}

/* Receive RAM and device state. In a thread of its own, libxc reads the stream and
 * fills the domain's memory; the device state follows in the same lane.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <xenctrl.h>
#include <xenguest.h>

#include "host/xen/copy/copy.h"
#include "host/xen/ground/device-state.h"
#include "xmig/text.h"
#include "xmig/library-thread.h"

enum {
    LOOK_MS = 500,
    SYNC_EVERY_MS = 2000 /* flush the disks, not counting the time that takes */
};

struct receiving {
    struct xen_copy *vm;
    xc_interface *xc; /* for the thread alone */
    int result, number;
    uint64_t synced_ms; /* when the disks were last flushed */
    struct error error;
};

/* ---- lanes ---- */

void xen_ram_close(struct xen_copy *vm)
{
    cleanup_close(&vm->ram);
    cleanup_close(&vm->ram_lane);
    vm->ram = vm->ram_lane = -1;
}

static int open_ram(struct xen_copy *vm, struct error *err)
{
    if (vm->ram_lane < 0)
        error_set(err, ERROR_REFUSED, "nothing waits for RAM here");
    return steal_fd(&vm->ram_lane);
}

int xen_open_lane(struct copy *copy, const char *name, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);
    AUTO_FREE char *path = NULL;
    int fd;

    if (!strcmp(name, "ram"))
        return open_ram(vm, err);
    if (strncmp(name, "disk/", 5) != 0 || !disk_images_find(&vm->images, name + 5)) {
        error_set(err, ERROR_REFUSED, "there is no lane '%s'", name);
        return -1;
    }
    if (volume_export_open(vm, name + 5, &fd, err))
        return fd;
    path = formatted("%s/nbd.sock", copy->context.runtime_dir);
    return connect_unix(path, err);
}

bool xen_flush_disks(struct copy *copy, struct error *err)
{
    return disk_images_sync(&xen_copy_of(copy)->images, err);
}

bool xen_ram_listen(struct copy *copy, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot make a socket pair: %m");
    xen_ram_close(vm);
    vm->ram = pair[0];
    vm->ram_lane = pair[1];
    return true;
}

/* ---- the thread ---- */

/* Streams of Xen 4.14 and later carry the CPU policy; older ones are refused. */
static int on_static_data(unsigned missing, void *arg)
{
    struct receiving *receiving = arg;

    if (!missing)
        return 0;
    error_set(&receiving->error, ERROR_PROTOCOL, "the RAM's stream lacks the CPU policy");
    return -1;
}

/* Read to the end: with data left in the lane its writer would see a broken connection. */
static void expect_end(struct receiving *receiving)
{
    char more;

    if (read(receiving->vm->ram, &more, 1) > 0)
        error_set(&receiving->error, ERROR_PROTOCOL, "something follows the device state");
}

/* From 4.22 on Xen is told, too, which memory it may take: 0 is any. */
#ifdef XEN_RESTORE_HAS_MEMFLAGS
#define ANY_MEMORY , 0
#else
#define ANY_MEMORY
#endif

static void run(struct library_thread *thread, void *arg)
{
    struct receiving *receiving = arg;
    struct xen_copy *vm = receiving->vm;
    struct restore_callbacks callbacks = { .static_data_done = on_static_data, .data = receiving };

    (void)thread;
    receiving->result = xc_domain_restore(receiving->xc, vm->ram, vm->xen.domid, vm->store_port,
                                          &vm->store_gfn, 0, vm->console_port, &vm->console_gfn, 0,
                                          XC_STREAM_PLAIN, &callbacks, -1 ANY_MEMORY);
    receiving->number = errno;
    if (receiving->result == 0 &&
        (!vm->xen.has_model || device_state_receive(vm->ram, &vm->device_state,
                                                    &vm->device_state_size, &receiving->error)))
        expect_end(receiving);
}

static void cancel(void *arg)
{
    struct receiving *receiving = arg;

    shutdown(receiving->vm->ram, SHUT_RDWR);
}

static bool look(void *arg, struct error *err)
{
    struct receiving *receiving = arg;

    xen_log_drain(receiving->vm->xen.log, &receiving->vm->base.context.events);
    if (loop_now_ms() - receiving->synced_ms < SYNC_EVERY_MS)
        return true;
    if (!xen_flush_disks(&receiving->vm->base, err))
        return false;
    receiving->synced_ms = loop_now_ms();
    return true;
}

static bool conclude(struct receiving *receiving, struct error *err)
{
    struct xen_copy *vm = receiving->vm;

    xen_log_drain(vm->xen.log, &vm->base.context.events);
    if (receiving->result != 0 && !receiving->error.kind) {
        errno = receiving->number;
        return xen_fail(&vm->xen, err, "receiving RAM");
    }
    if (receiving->error.kind) {
        *err = receiving->error;
        return false;
    }
    vm->restored = true;
    return true;
}

bool xen_ram_recv(struct copy *copy, struct error *err)
{
    struct xen_copy *vm = xen_copy_of(copy);
    struct receiving receiving = { .vm = vm, .synced_ms = loop_now_ms() };
    const struct library_work work = {
        .run = run, .cancel = cancel, .look = look, .look_ms = LOOK_MS, .arg = &receiving
    };
    bool ok;

    receiving.xc = xen_open_for_thread(&vm->xen, err);
    if (!receiving.xc)
        return false;
    ok = library_thread_run(copy->context.loop, &work, err) && conclude(&receiving, err);
    xc_interface_close(receiving.xc);
    xen_ram_close(vm);
    return ok;
}

/* Reaching a QMP server's socket without ever blocking. */
#include "qmp/connect.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "xmig/cleanup.h"

enum {
    RETRY_MS = 100
};

/* EAGAIN: its queue is full. Nothing tells when that changes, so ask again. */
static bool connect_patiently(struct loop *loop, int fd, const struct sockaddr_un *addr,
                              uint64_t timeout_ms, struct error *err)
{
    uint64_t deadline = loop_now_ms() + timeout_ms;

    while (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
        if (errno != EAGAIN)
            return error_set(err, ERROR_SYSTEM, "cannot connect to '%s': %m", addr->sun_path);
        if (loop_now_ms() >= deadline)
            return error_set(err, ERROR_TIMEOUT,
                             "cannot connect to '%s': other programs are connected to it or wait "
                             "to be, and QEMU serves one at a time",
                             addr->sun_path);
        if (!loop_pause(loop, RETRY_MS, err))
            return false;
    }
    return true;
}

int qmp_connect_socket(struct loop *loop, const char *path, uint64_t timeout_ms, struct error *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        error_set(err, ERROR_SYSTEM, "cannot create a socket: %m");
        return -1;
    }
    if (strlen(path) >= sizeof(addr.sun_path)) {
        error_set(err, ERROR_REFUSED, "socket path '%s' is longer than %zu bytes", path,
                  sizeof(addr.sun_path) - 1);
        return -1;
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    if (!connect_patiently(loop, fd, &addr, timeout_ms, err))
        return -1;
    return steal_fd(&fd);
}

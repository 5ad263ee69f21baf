/* Reaching a QMP server's socket without ever blocking. */
#include "qmp/connect.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "xmig/cleanup.h"

enum {
    RETRY_MS = 100,
    TCP_RETRY_MS = 5
};

struct place {
    const char *name; /* for people */
    const struct sockaddr *addr;
    socklen_t len;
    uint64_t retry_ms;
};

/* Nothing more to wait for: connected at once, or by an earlier call. */
static bool is_connected(int fd, const struct place *place)
{
    return connect(fd, place->addr, place->len) == 0 || errno == EISCONN;
}

/* EAGAIN: its queue is full. Nothing tells when that changes, so ask again. The others: a
 * connection by TCP is under way.
 */
static bool connect_patiently(struct loop *loop, int fd, const struct place *place,
                              uint64_t timeout_ms, struct error *err)
{
    uint64_t deadline = loop_now_ms() + timeout_ms;

    while (!is_connected(fd, place)) {
        if (errno != EAGAIN && errno != EINPROGRESS && errno != EALREADY)
            return error_set(err, ERROR_SYSTEM, "cannot connect to '%s': %m", place->name);
        if (loop_now_ms() >= deadline)
            return error_set(err, ERROR_TIMEOUT,
                             "cannot connect to '%s': other programs are connected to it or wait "
                             "to be, and QEMU serves one at a time",
                             place->name);
        if (!loop_pause(loop, place->retry_ms, err))
            return false;
    }
    return true;
}

/* ---- TCP ---- */

/* "HOST:PORT", where HOST may be none, or be in brackets. NULL: `address` is none such. */
static struct addrinfo *look_up(const char *address)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV };
    const char *port = strrchr(address, ':');
    AUTO_FREE char *host = port ? must(strndup(address, (size_t)(port - address))) : NULL;
    size_t len = host ? strlen(host) : 0;
    struct addrinfo *found = NULL;

    if (!host)
        return NULL;
    if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
    return getaddrinfo(*host ? host : "127.0.0.1", port + 1, &hints, &found) ? NULL : found;
}

static int connect_to_port(struct loop *loop, const char *name, const struct addrinfo *address,
                           uint64_t timeout_ms, struct error *err)
{
    struct place place = { name, address->ai_addr, address->ai_addrlen, TCP_RETRY_MS };
    AUTO_CLOSE int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        error_set(err, ERROR_SYSTEM, "cannot create a socket: %m");
        return -1;
    }
    return connect_patiently(loop, fd, &place, timeout_ms, err) ? steal_fd(&fd) : -1;
}

/* "localhost" may be two addresses, of which QEMU listens at one. */
static int connect_tcp(struct loop *loop, const char *name, uint64_t timeout_ms, struct error *err)
{
    struct addrinfo *found = look_up(name + strlen("tcp:"));
    int fd = -1;

    if (!found)
        error_set(err, ERROR_SYSTEM, "'%s' is no address that this host knows", name);
    for (const struct addrinfo *each = found; each && fd < 0; each = each->ai_next)
        fd = connect_to_port(loop, name, each, timeout_ms, err);
    if (found)
        freeaddrinfo(found);
    return fd;
}

/* ---- unix sockets ---- */

static int connect_path(struct loop *loop, const char *path, uint64_t timeout_ms, struct error *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct place place = { path, (const struct sockaddr *)&addr, sizeof(addr), RETRY_MS };
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
    return connect_patiently(loop, fd, &place, timeout_ms, err) ? steal_fd(&fd) : -1;
}

int qmp_connect_socket(struct loop *loop, const char *path, uint64_t timeout_ms, struct error *err)
{
    return strncmp(path, "tcp:", 4) ? connect_path(loop, path, timeout_ms, err)
                                    : connect_tcp(loop, path, timeout_ms, err);
}

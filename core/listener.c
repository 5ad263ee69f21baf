/* Unix sockets: listening on the loop, and connecting. */
#include "xmig/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "xmig/cleanup.h"

struct listener {
    uv_poll_t poll;
    int fd;
    char *path;
    void (*accepted)(void *arg, int fd);
    void *arg;
};

static bool fill_address(struct sockaddr_un *addr, const char *path, struct error *err)
{
    *addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(addr->sun_path))
        return error_set(err, ERROR_REFUSED, "socket path '%s' is longer than %zu bytes", path,
                         sizeof(addr->sun_path) - 1);
    memcpy(addr->sun_path, path, strlen(path) + 1);
    return true;
}

static int new_socket(struct error *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        error_set(err, ERROR_SYSTEM, "cannot create a socket: %m");
    return fd;
}

int connect_unix(const char *path, struct error *err)
{
    const struct timeval patience = { .tv_sec = 5 };
    const struct timeval for_ever = { 0 };
    AUTO_CLOSE int fd = -1;
    struct sockaddr_un addr;

    if (!fill_address(&addr, path, err))
        return -1;
    fd = new_socket(err);
    if (fd < 0)
        return -1;
    /* A stopped process whose backlog is full would keep us here for ever. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        error_set(err, ERROR_SYSTEM, "cannot connect to '%s': %m", path);
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &for_ever, sizeof(for_ever));
    return steal_fd(&fd);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    int fd;
    (void)events;

    if (status < 0)
        return;
    fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        listener->accepted(listener->arg, fd);
}

/* A socket nobody listens on refuses connections: its owner is dead. */
static bool remove_leftover(const char *path, struct error *err)
{
    int fd = connect_unix(path, NULL);

    if (fd >= 0) {
        close(fd);
        return error_set(err, ERROR_REFUSED, "another process listens at '%s'", path);
    }
    if (unlink(path) < 0 && errno != ENOENT)
        return error_set(err, ERROR_SYSTEM, "cannot remove '%s': %m", path);
    return true;
}

static bool bind_and_listen(int fd, const char *path, struct error *err)
{
    enum {
        BACKLOG = 64
    };
    struct sockaddr_un addr;

    if (!fill_address(&addr, path, err))
        return false;
    /* On Linux bind() gives the file the mode of the socket. */
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
        listen(fd, BACKLOG) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot listen at '%s': %m", path);
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct listener *listener_new(struct loop *loop, const char *path,
                              void (*accepted)(void *arg, int fd), void *arg, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    struct listener *listener;

    if (!remove_leftover(path, err))
        return NULL;
    fd = new_socket(err);
    if (fd < 0 || !bind_and_listen(fd, path, err))
        return NULL;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    listener = must(calloc(1, sizeof(*listener)));
    listener->path = must(strdup(path));
    listener->accepted = accepted;
    listener->arg = arg;
    listener->fd = steal_fd(&fd);
    if (uv_poll_init(loop_uv(loop), &listener->poll, listener->fd))
        abort();
    listener->poll.data = listener;
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    return listener;
}

void listener_free(struct listener *listener)
{
    if (!listener)
        return;
    unlink(listener->path);
    free(listener->path);
    uv_poll_stop(&listener->poll);
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    close(listener->fd);
}

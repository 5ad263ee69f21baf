/* Unix sockets: listening on the loop, and connecting. */
#include "xmig/loop.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "xmig/cleanup.h"

enum {
    REST_MS = 200,
    HANDLES = 2
};

struct listener {
    uv_poll_t poll;
    uv_timer_t rest;
    int handles; /* the loop's */
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

static int new_socket(int flags, struct error *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

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
    fd = new_socket(0, err);
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

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_rested(uv_timer_t *rest)
{
    struct listener *listener = rest->data;

    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

/* Where descriptors are short the same connection would be told of again and again. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    int fd;
    (void)events;

    if (status < 0)
        return;
    fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        listener->accepted(listener->arg, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        uv_poll_stop(poll);
        uv_timer_start(&listener->rest, on_rested, REST_MS, 0);
    }
}

/* A socket nobody listens at refuses connections: its owner is dead. One whose owner is
 * stopped may have its queue full.
 */
static bool is_leftover(const struct sockaddr_un *addr, struct error *err)
{
    const char *path = addr->sun_path;
    AUTO_CLOSE int fd = new_socket(SOCK_NONBLOCK, err);

    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN)
        return error_set(err, ERROR_REFUSED, "another process listens at '%s'", path);
    if (errno != ECONNREFUSED)
        return error_set(err, ERROR_SYSTEM, "cannot tell who listens at '%s': %m", path);
    return true;
}

static bool remove_leftover(const char *path, struct error *err)
{
    struct sockaddr_un addr;
    struct stat st;

    if (!fill_address(&addr, path, err))
        return false;
    if (lstat(path, &st) < 0)
        return true; /* bind() will say what is wrong, if anything is */
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, ERROR_REFUSED, "'%s' is there already, and is not a socket", path);
    if (!is_leftover(&addr, err))
        return false;
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
    struct listener *listener = handle->data;

    if (--listener->handles == 0)
        free(listener);
}

struct listener *listener_new(struct loop *loop, const char *path,
                              void (*accepted)(void *arg, int fd), void *arg, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    struct listener *listener;

    if (!remove_leftover(path, err))
        return NULL;
    fd = new_socket(SOCK_NONBLOCK, err);
    if (fd < 0 || !bind_and_listen(fd, path, err))
        return NULL;
    listener = must(calloc(1, sizeof(*listener)));
    listener->path = must(strdup(path));
    listener->accepted = accepted;
    listener->arg = arg;
    listener->fd = steal_fd(&fd);
    listener->handles = HANDLES;
    if (uv_poll_init(loop_uv(loop), &listener->poll, listener->fd) ||
        uv_timer_init(loop_uv(loop), &listener->rest))
        abort();
    listener->poll.data = listener->rest.data = listener;
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
    uv_close((uv_handle_t *)&listener->rest, on_closed);
    close(listener->fd);
}

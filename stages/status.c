/* What a living process says of itself. */
#include "status.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "xmig/cleanup.h"

enum {
    PATIENCE_MS = 10000,
    STATUS_MAX = 256
};

static char *socket_path(const struct migration *m)
{
    char *path;

    if (asprintf(&path, "%s/%s.sock", m->own_runtime_dir,
                 m->side == SIDE_SEND ? "send-status" : "recv-status") < 0)
        abort();
    return path;
}

static void answer(void *arg, int fd)
{
    const struct migration *m = arg;
    char line[STATUS_MAX];
    int len = snprintf(line, sizeof(line), "process %d is at %s", (int)getpid(),
                       m->at ? m->at : "its beginning");

    (void)send(fd, line, (size_t)len, MSG_NOSIGNAL);
    close(fd);
}

struct listener *status_listen(struct migration *m, struct error *err)
{
    AUTO_FREE char *path = socket_path(m);

    return listener_new(m->loop, path, answer, m, err);
}

bool status_ask(struct migration *m, char **status)
{
    AUTO_FREE char *path = socket_path(m);
    AUTO_CLOSE int fd = connect_unix(path, NULL);
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    char line[STATUS_MAX];
    ssize_t len;

    if (fd < 0 || poll(&readable, 1, PATIENCE_MS) != 1)
        return false;
    len = recv(fd, line, sizeof(line) - 1, 0);
    if (len <= 0)
        return false;
    line[len] = '\0';
    *status = must(strdup(line));
    return true;
}

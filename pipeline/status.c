/* What a living process says of itself. */
#include "status.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

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

static const char *const lost_the_other[] = {
    [SIDE_SEND] = ", and has lost the target: it asks ",
    [SIDE_RECV] = ", and has lost the source: it keeps the copy ",
};

bool status_is_alone(const char *status)
{
    return strstr(status, lost_the_other[SIDE_SEND]) || strstr(status, lost_the_other[SIDE_RECV]);
}

static void print_until(uint64_t until_s, char out[32])
{
    time_t until = (time_t)until_s;
    struct tm utc;

    if (until_s == UINT64_MAX || !gmtime_r(&until, &utc) ||
        !strftime(out, 32, "until %H:%M:%S UTC", &utc))
        snprintf(out, 32, "until that comes back");
}

static void answer(void *arg, int fd)
{
    const struct migration *m = arg;
    char line[STATUS_MAX];
    char until[32] = "";
    int len;

    if (m->alone_until_s)
        print_until(m->alone_until_s, until);
    len = snprintf(line, sizeof(line), "process %d is at %s%s%s", (int)getpid(),
                   m->at ? m->at : "its beginning", m->alone_until_s ? lost_the_other[m->side] : "",
                   until);
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

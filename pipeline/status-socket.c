/* What a living process says of itself. */
#include "status-socket.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"
#include "xmig/units.h"

enum {
    PATIENCE_MS = 10000,
    STATUS_MAX = 256
};

static char *socket_name(enum side side)
{
    return formatted("%s-status.sock", side_name(side));
}

bool status_is_socket(enum side side, const char *name)
{
    AUTO_FREE char *ours = socket_name(side);

    return !strcmp(name, ours);
}

static char *socket_path(const struct migration *m)
{
    AUTO_FREE char *name = socket_name(m->side);

    return formatted("%s/%s", m->own_runtime_dir, name);
}

static char *limit_path(const struct migration *m)
{
    return formatted("%s/limit", m->own_runtime_dir);
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

static const char limited[] = "; at most ";

/* "; at most 4.0 MiB/s", or nothing without a limit. */
static void print_limit(const struct migration *m, char out[64])
{
    char size[UNITS_TEXT_MAX];
    uint64_t limit = m->transport ? transport_limited_to(m->transport) : 0;

    out[0] = '\0';
    if (limit)
        snprintf(out, 64, "%s%s/s", limited, print_size(size, limit));
}

bool status_is_limited(const char *status)
{
    return strstr(status, limited) != NULL;
}

/* A file and not a message, so that the loop never waits for somebody who asks slowly. */
static void take_limit(struct migration *m)
{
    AUTO_FREE char *path = limit_path(m);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    uint64_t limit;
    char shown[64];

    if (fd < 0 || !m->transport || read(fd, &limit, sizeof(limit)) != sizeof(limit))
        return;
    (void)unlink(path);
    if (transport_limit(m->transport, limit) && m->peer)
        session_limit(m->peer, transport_limited_to(m->transport));
    print_limit(m, shown);
    event_say(&m->events, EVENT_NOTE, m->at, "xmig limit: %s",
              *shown ? shown + strlen("; ") : "no limit");
}

static void answer(void *arg, int fd)
{
    struct migration *m = arg;
    char line[STATUS_MAX];
    char until[32] = "", limit[64];
    int len;

    take_limit(m);
    print_limit(m, limit);
    if (m->alone_until_s)
        print_until(m->alone_until_s, until);
    len = snprintf(line, sizeof(line), "process %d %s%s%s%s%s", (int)getpid(),
                   m->settling ? "is settling it" : "is at ",
                   m->settling ? ""
                   : m->at     ? m->at
                               : "its beginning",
                   m->alone_until_s ? lost_the_other[m->side] : "", until, limit);
    (void)send(fd, line, (size_t)len, MSG_NOSIGNAL);
    close(fd);
}

struct listener *status_listen(struct migration *m, struct error *err)
{
    AUTO_FREE char *path = socket_path(m);

    return listener_new(m->loop, path, answer, m, err);
}

bool status_ask(const struct migration *m, char **status)
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

bool status_limit(const struct migration *m, uint64_t bytes_per_s, char **status, struct error *err)
{
    AUTO_FREE char *path = limit_path(m);
    AUTO_FREE char *other = formatted("%s.%d", path, (int)getpid());
    AUTO_CLOSE int fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool taken;

    if (fd < 0 || write(fd, &bytes_per_s, sizeof(bytes_per_s)) != sizeof(bytes_per_s) ||
        rename(other, path) < 0) {
        error_set(err, ERROR_SYSTEM, "cannot write '%s': %m", path);
        (void)unlink(other);
        return false;
    }
    taken = status_ask(m, status) && access(path, F_OK) < 0;
    (void)unlink(path);
    return taken || error_set(err, ERROR_TIMEOUT, "the process that moves it does not answer");
}

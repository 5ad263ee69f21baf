/* Probing how many lanes one login carries, and the forwarded socket for more. */
#include "transport/lanes/ssh-lanes.h"

#include <poll.h>
#include <sys/socket.h>

#include "xmig/cleanup.h"
#include "xmig/lanes.h"
#include "xmig/text.h"

enum {
    PROBE_MS = 30000,
    POLL_MS = 5,
    FORWARD_MS = 5000, /* for an ssh that talks to nobody far away */
    SPARE = 2,         /* sessions beside the lanes: the control connection, and a later query */
};

/* A lane to nowhere: the peer says a byte when it is open, and holds it. */
struct probe {
    struct link *link;
    int fd;
};

static bool probe_start(struct transport *transport, struct probe *probe, struct error *err)
{
    const char *const words[] = { "lane", transport->id, transport->ticket, LANE_PROBE, NULL };
    int both[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot create a socket: %m");
    probe->fd = both[0];
    probe->link = transport->ops->dial(transport, words, both[1], err);
    close(both[1]);
    return probe->link != NULL;
}

/* Has it said its byte (*open), or will it never? */
static bool probe_is_known(const struct probe *probe, bool *open)
{
    struct pollfd polled = { .fd = probe->fd, .events = POLLIN };
    char byte;

    *open = poll(&polled, 1, 0) > 0 && (polled.revents & POLLIN) &&
            recv(probe->fd, &byte, 1, MSG_PEEK) == 1;
    return *open || (polled.revents & POLLHUP) || probe->link->ended;
}

static bool count_open(const struct probe *probes, size_t count, size_t *open)
{
    bool all_known = true;

    *open = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_open;

        all_known = probe_is_known(&probes[i], &is_open) && all_known;
        *open += is_open;
    }
    return all_known;
}

static bool await_probes(struct transport *transport, const struct probe *probes, size_t count,
                         size_t *open, struct error *err)
{
    uint64_t deadline_ms = loop_now_ms() + PROBE_MS;

    while (!count_open(probes, count, open)) {
        if (loop_now_ms() >= deadline_ms)
            return error_set(err, ERROR_TIMEOUT, "the peer has not opened %zu lanes within %d s",
                             count, PROBE_MS / 1000);
        if (!loop_pause(transport->loop, POLL_MS, err))
            return false;
    }
    return true;
}

/* How many of `count` lanes could be open at once? */
static bool probe_all(struct transport *transport, size_t count, size_t *open, struct error *err)
{
    struct probe *probes = must(calloc(count, sizeof(*probes)));
    bool ok = true;

    for (size_t i = 0; i < count; i++)
        probes[i].fd = -1;
    for (size_t i = 0; ok && i < count; i++)
        ok = probe_start(transport, &probes[i], err);
    ok = ok && await_probes(transport, probes, count, open, err);
    for (size_t i = 0; i < count; i++) {
        if (probes[i].fd >= 0)
            close(probes[i].fd);
        link_free(probes[i].link);
    }
    free(probes);
    return ok;
}

/* Ask the master, which does it without a word to the server. The user's own configuration is left
 * out, for its forwardings would be asked for, too.
 */
static bool forward(struct transport *transport, const struct ssh_lanes *lanes, struct error *err)
{
    struct child *child;
    int status = -1;
    AUTO_FREE char *both = formatted("%s:%s", lanes->forwarded, transport->door);

    child = child_start(transport->loop,
                        (const char *const[]){ lanes->program, "-F", "none", "-S", lanes->control,
                                               "-O", "forward", "-o", "StreamLocalBindUnlink=yes",
                                               "-L", both, "--", lanes->host, NULL },
                        -1, -1, -1, err);
    if (!child)
        return false;
    (void)child_wait(child, FORWARD_MS, &status, NULL);
    child_free(child);
    return status == 0 || error_set(err, ERROR_REFUSED, "ssh cannot forward to the receiver");
}

/* Lanes that are forwarded, if one can be. */
static bool try_forwarding(struct transport *transport, struct ssh_lanes *lanes, struct error *err)
{
    size_t open = 0;

    if (!transport->door[0] || strchr(transport->door, ':'))
        return error_set(err, ERROR_REFUSED, "the receiver has no door to forward to");
    lanes->forwarded = formatted("%s/door", transport->options.runtime_dir);
    if (forward(transport, lanes, err) && probe_all(transport, 1, &open, err) && open == 1)
        return true;
    ssh_lanes_done(lanes);
    return false;
}

bool ssh_lanes_make_room(struct transport *transport, struct ssh_lanes *lanes, size_t count,
                         struct error *err)
{
    size_t wanted = count + SPARE - 1; /* the control connection is there already */
    struct error why = { 0 };
    size_t open;

    bool ok;

    lanes->probing = true;
    ok = probe_all(transport, wanted, &open, err) &&
         (open == wanted || try_forwarding(transport, lanes, &why));
    lanes->probing = false;
    if (ok || err->kind)
        return ok;
    if (loop_interrupted(transport->loop))
        return loop_pause(transport->loop, 1, err);
    return error_set(
        err, ERROR_REFUSED,
        "this VM needs %zu connections to %s at once, and the ssh server there "
        "permits %zu in one login: in its sshd_config set 'MaxSessions %zu', or permit "
        "'AllowStreamLocalForwarding' for this user",
        wanted + 1, lanes->host, open + 1, wanted + 1);
}

void ssh_lanes_add_words(struct argv *argv, const struct ssh_lanes *lanes,
                         const char *const words[])
{
    argv_add_all(
        argv, (const char *const[]){ "/proc/self/exe", words[0], "--via", lanes->forwarded, NULL });
    argv_add_all(argv, words + 1);
}

void ssh_lanes_done(struct ssh_lanes *lanes)
{
    if (lanes->forwarded)
        (void)unlink(lanes->forwarded);
    free(steal(lanes->forwarded));
}

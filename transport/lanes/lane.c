/* The sender's end of the lanes: each is a link to an `xmig lane` at the peer, joined to a socket
 * of this machine's hypervisor.
 */
#include "transport/internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "transport/lanes/relay.h"
#include "xmig/cleanup.h"
#include "xmig/lanes.h"
#include "xmig/text.h"

/* What stands between the hypervisor's socket and the lane under `--bwlimit`. */
struct pump {
    struct pump *next; /* of those whose lane has ended */
    int hypervisor, lane;
    struct rate *rate;
    atomic_bool over;
    pthread_t thread;
};

struct lane {
    struct lane *next;
    struct transport *transport;
    struct lane_door *door; /* it came in there; NULL: it did not, or the door has gone */
    size_t number;          /* counts the connections of that door */
    char *name;
    struct link *link;
    int fd;            /* a copy of what the link has: shutting it down reaches all copies */
    struct pump *pump; /* NULL: no limit */
};

struct lane_door {
    struct transport *transport;
    struct listener *listener;
    char *name;
    char *path;
    size_t count;
    struct error failure; /* of the last lane */
};

/* ---- the limit ---- */

/* The hypervisor must see the end of a lane, whichever side it comes from. */
static void *run_pump(void *arg)
{
    struct pump *pump = arg;

    (void)relay_limited(pump->hypervisor, pump->hypervisor, pump->lane, pump->rate, NULL);
    shutdown(pump->hypervisor, SHUT_RDWR);
    shutdown(pump->lane, SHUT_RDWR);
    atomic_store(&pump->over, true);
    return NULL;
}

static void pump_free(struct pump *pump)
{
    if (!pump)
        return;
    shutdown(pump->hypervisor, SHUT_RDWR);
    shutdown(pump->lane, SHUT_RDWR);
    pthread_join(pump->thread, NULL);
    close(pump->hypervisor);
    close(pump->lane);
    free(pump);
}

/* Signals are the loop's thread's: one that a pump took as it ends could be lost. */
static bool start_thread(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t all, before;
    bool ok;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ok = pthread_create(thread, NULL, run, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

/* Put a pump before the hypervisor's socket `*fd` (taken), which becomes the pump's other end. */
static struct pump *pump_new(struct rate *rate, int *fd, struct error *err)
{
    struct pump *pump;
    int both[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) < 0) {
        error_set(err, ERROR_SYSTEM, "cannot create a socket: %m");
        return NULL;
    }
    pump = must(calloc(1, sizeof(*pump)));
    *pump = (struct pump){ .hypervisor = *fd, .lane = both[0], .rate = rate };
    *fd = both[1];
    if (!start_thread(&pump->thread, run_pump, pump))
        abort();
    return pump;
}

/* Those that have passed everything on; with `all` the others, too. */
static void free_pumps(struct transport *transport, bool all)
{
    struct pump **link = &transport->pumps;

    while (*link) {
        struct pump *pump = *link;

        if (!all && !atomic_load(&pump->over)) {
            link = &pump->next;
            continue;
        }
        *link = pump->next;
        pump_free(pump);
    }
}

/* Its lane has ended: what came by it last is still to reach the hypervisor. */
static void leave_pump(struct transport *transport, struct pump *pump)
{
    free_pumps(transport, false);
    if (!pump)
        return;
    pump->next = transport->pumps;
    transport->pumps = pump;
}

/* ---- lanes ---- */

/* The hypervisor's end comes first: cutting the link alone would not end the lane, for ssh's
 * control master has a copy of the socket and may be stuck.
 */
static void lane_free(struct lane *lane)
{
    shutdown(lane->fd, SHUT_RDWR);
    close(lane->fd);
    pump_free(lane->pump);
    link_free(lane->link);
    free(lane->name);
    free(lane);
}

static void unlink_lane(struct lane *lane)
{
    struct lane **link = &lane->transport->lanes;

    while (*link != lane)
        link = &(*link)->next;
    *link = lane->next;
}

static void on_end(void *arg)
{
    struct lane *lane = arg;
    int status = lane->link->status;

    if (status && lane->door && lane->number == lane->door->count)
        error_set(&lane->door->failure, ERROR_LOST, "lane %s broke (status %d)", lane->name,
                  status);
    unlink_lane(lane);
    leave_pump(lane->transport, lane->pump);
    lane->pump = NULL;
    lane_free(lane);
}

/* Programs like ssh expect a blocking standard input, or set what they need themselves. */
static struct link *dial(struct transport *transport, const char *name, int fd, struct error *err)
{
    const char *const words[] = { "lane", transport->id, transport->ticket, name, NULL };

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return transport->ops->dial(transport, words, fd, err);
}

static bool join_lane(struct transport *transport, struct lane_door *door, const char *name,
                      int taken_fd, struct error *err)
{
    AUTO_CLOSE int fd = taken_fd;
    struct pump *pump = transport->rate ? pump_new(transport->rate, &fd, err) : NULL;
    struct link *link = NULL;
    struct lane *lane;

    if (pump || !transport->rate)
        link = dial(transport, name, fd, err);
    if (!link) {
        pump_free(pump);
        return error_prefix(err, "lane %s", name);
    }
    lane = must(calloc(1, sizeof(*lane)));
    lane->transport = transport;
    lane->door = door;
    lane->number = door ? door->count : 0;
    lane->name = must(strdup(name));
    lane->link = link;
    lane->pump = pump;
    lane->fd = steal_fd(&fd);
    lane->next = transport->lanes;
    transport->lanes = lane;
    link_on_end(link, on_end, lane);
    return true;
}

bool transport_lane(struct transport *transport, const char *name, int fd, struct error *err)
{
    return join_lane(transport, NULL, name, fd, err);
}

void transport_lift_limit(struct transport *transport)
{
    if (transport->rate)
        rate_lift(transport->rate);
}

void transport_cut_lanes(struct transport *transport)
{
    transport->lanes_are_cut = true;
    while (transport->lanes) {
        struct lane *lane = transport->lanes;

        transport->lanes = lane->next;
        lane_free(lane);
    }
    free_pumps(transport, true);
}

static void on_connection(void *arg, int fd)
{
    struct lane_door *door = arg;

    if (door->transport->lanes_are_cut) {
        close(fd);
        return;
    }
    door->count++;
    error_clear(&door->failure);
    join_lane(door->transport, door, door->name, fd, &door->failure);
}

static char *socket_path(const char *dir, const char *name)
{
    char *path = formatted("%s/lane-%s.sock", dir, name);

    for (char *c = path + strlen(dir) + 1; *c; c++)
        if (*c == '/')
            *c = '-';
    return path;
}

struct lane_door *lane_door_new(struct transport *transport, const char *name, struct error *err)
{
    struct lane_door *door = must(calloc(1, sizeof(*door)));

    door->transport = transport;
    door->name = must(strdup(name));
    door->path = socket_path(transport->options.runtime_dir, name);
    door->listener = listener_new(transport->loop, door->path, on_connection, door, err);
    if (door->listener)
        return door;
    lane_door_free(door);
    return NULL;
}

const char *lane_door_path(const struct lane_door *door)
{
    return door->path;
}

size_t lane_door_count(const struct lane_door *door)
{
    return door->count;
}

bool lane_door_ok(const struct lane_door *door, struct error *err)
{
    if (door->failure.kind && err)
        *err = door->failure;
    return !door->failure.kind;
}

void lane_door_free(struct lane_door *door)
{
    if (!door)
        return;
    for (struct lane *lane = door->transport->lanes; lane; lane = lane->next)
        if (lane->door == door)
            lane->door = NULL;
    listener_free(door->listener);
    free(door->path);
    free(door->name);
    free(door);
}

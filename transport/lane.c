/* The sender's end of the lanes: each is an `xmig lane` at the peer whose standard input
 * and output are a socket of this machine's hypervisor, or, if it was dialled before that
 * connected, are joined to it by a thread.
 */
#include "transport/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "xmig/cleanup.h"

struct lane {
    struct lane *next;
    struct transport *transport;
    struct lane_door *door; /* it came in there; NULL: it did not, or the door has gone */
    char *name;
    struct child *child;
    int fd;           /* a copy of what the child has: shutting it down reaches all copies */
    int ours;         /* dialled ahead: the other end of that; -1 */
    int hypervisor;   /* … and what it is joined to by the pump; -1: nothing yet */
    uv_poll_t *watch; /* … until the peer's side has said something; NULL */
    uv_thread_t pump;
};

struct lane_door {
    struct transport *transport;
    struct listener *listener;
    char *name;
    char *path;
    size_t count;
    struct lane *ahead;   /* waits for a connection; NULL */
    struct lane *last;    /* NULL: has ended */
    struct error failure; /* of the last lane */
};

static void free_watch(uv_handle_t *handle)
{
    free(handle);
}

static void stop_watching(struct lane *lane)
{
    if (lane->watch)
        uv_close((uv_handle_t *)steal(lane->watch), free_watch);
}

/* Ends the lane for the hypervisor before anything else: killing the child alone would
 * not, for ssh's control master has a copy of the socket and may be stuck.
 */
static void lane_free(struct lane *lane)
{
    shutdown(lane->fd, SHUT_RDWR);
    close(lane->fd);
    stop_watching(lane);
    if (lane->hypervisor >= 0) {
        shutdown(lane->hypervisor, SHUT_RDWR);
        uv_thread_join(&lane->pump);
    }
    cleanup_close(&lane->ours);
    cleanup_close(&lane->hypervisor);
    child_free(lane->child);
    free(lane->name);
    free(lane);
}

static void leave_door(struct lane *lane)
{
    if (!lane->door)
        return;
    if (lane->door->ahead == lane)
        lane->door->ahead = NULL;
    if (lane->door->last == lane)
        lane->door->last = NULL;
    lane->door = NULL;
}

static void unlink_lane(struct lane *lane)
{
    struct lane **link = &lane->transport->lanes;

    while (*link != lane)
        link = &(*link)->next;
    *link = lane->next;
    leave_door(lane);
}

static void on_end(void *arg)
{
    struct lane *lane = arg;
    int status = 0;

    child_ended(lane->child, &status);
    if (lane->door && lane->door->last == lane && (status || lane->door->ahead == lane))
        error_set(&lane->door->failure, ERROR_LOST, "lane %s broke (status %d)", lane->name,
                  status);
    unlink_lane(lane);
    lane_free(lane);
}

/* Programs like ssh expect a blocking standard input, or set what they need themselves. */
static struct child *dial(struct transport *transport, const char *name, int fd, struct error *err)
{
    const char *const words[] = { "lane", transport->id, transport->ticket, name, NULL };

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return transport->ops->dial(transport, words, fd, err);
}

static struct lane *join_lane(struct transport *transport, struct lane_door *door, const char *name,
                              int taken_fd, struct error *err)
{
    AUTO_CLOSE int fd = taken_fd;
    struct child *child = dial(transport, name, fd, err);
    struct lane *lane;

    if (!child) {
        error_prefix(err, "lane %s", name);
        return NULL;
    }
    lane = must(calloc(1, sizeof(*lane)));
    lane->transport = transport;
    lane->door = door;
    lane->name = must(strdup(name));
    lane->child = child;
    lane->fd = steal_fd(&fd);
    lane->ours = lane->hypervisor = -1;
    lane->next = transport->lanes;
    transport->lanes = lane;
    if (door)
        door->last = lane;
    child_on_end(child, on_end, lane);
    return lane;
}

bool transport_lane(struct transport *transport, const char *name, int fd, struct error *err)
{
    return join_lane(transport, NULL, name, fd, err) != NULL;
}

void transport_cut_lanes(struct transport *transport)
{
    while (transport->lanes) {
        struct lane *lane = transport->lanes;

        transport->lanes = lane->next;
        leave_door(lane);
        lane_free(lane);
    }
}

static void pump(void *arg)
{
    struct lane *lane = arg;

    (void)relay_both(lane->ours, lane->ours, lane->hypervisor, NULL);
    shutdown(lane->ours, SHUT_RDWR);
    shutdown(lane->hypervisor, SHUT_RDWR);
}

static void join_ahead(struct lane *lane, int fd)
{
    stop_watching(lane);
    lane->hypervisor = fd;
    if (uv_thread_create(&lane->pump, pump, lane))
        abort();
}

static void on_connection(void *arg, int fd)
{
    struct lane_door *door = arg;

    door->count++;
    if (door->ahead) {
        join_ahead(steal(door->ahead), fd);
        return;
    }
    error_clear(&door->failure);
    join_lane(door->transport, door, door->name, fd, &door->failure);
}

static char *socket_path(const char *dir, const char *name)
{
    char *path;
    int len = asprintf(&path, "%s/lane-%s.sock", dir, name);

    if (len < 0)
        abort();
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

/* ---- a lane ahead of its connection ---- */

/* When it is its end, the child's will tell why. */
static void on_first_word(uv_poll_t *watch, int status, int events)
{
    struct lane *lane = watch->data;
    char byte;

    (void)status;
    (void)events;
    if (recv(lane->ours, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
        stop_watching(lane);
    else
        uv_poll_stop(watch);
}

bool lane_door_dial(struct lane_door *door, struct error *err)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot make a socket pair: %m");
    door->ahead = join_lane(door->transport, door, door->name, pair[0], err);
    if (!door->ahead) {
        close(pair[1]);
        return false;
    }
    door->ahead->ours = pair[1];
    door->ahead->watch = must(calloc(1, sizeof(*door->ahead->watch)));
    uv_poll_init(loop_uv(door->transport->loop), door->ahead->watch, pair[1]);
    door->ahead->watch->data = door->ahead;
    uv_poll_start(door->ahead->watch, UV_READABLE | UV_DISCONNECT, on_first_word);
    return true;
}

static bool has_answered(void *arg)
{
    const struct lane_door *door = arg;

    return !door->ahead || !door->ahead->watch;
}

bool lane_door_await(struct lane_door *door, uint64_t timeout_ms, struct error *err)
{
    if (!loop_wait(door->transport->loop, has_answered, door, timeout_ms, err))
        return error_prefix(err, "lane %s", door->name);
    return lane_door_ok(door, err);
}

/* ---- the door ---- */

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
    if (door->ahead)
        shutdown(door->ahead->fd, SHUT_RDWR);
    for (struct lane *lane = door->transport->lanes; lane; lane = lane->next)
        if (lane->door == door)
            lane->door = NULL;
    listener_free(door->listener);
    free(door->path);
    free(door->name);
    free(door);
}

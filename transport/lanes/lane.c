/* The sender's end of the lanes: each is a link to an `xmig lane` at the peer, joined to a socket
 * of this machine's hypervisor.
 */
#include "transport/internal.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "transport/lanes/filter.h"
#include "transport/lanes/nbd-greeting.h"
#include "xmig/cleanup.h"
#include "xmig/lanes.h"
#include "xmig/nbd.h"
#include "xmig/text.h"

struct lane {
    struct lane *next;
    struct transport *transport;
    struct lane_door *door; /* it came in there; NULL: it did not, or the door has gone */
    size_t number;          /* counts the connections of that door */
    char *name;
    struct link *link;
    int fd; /* a copy of what the link has: shutting it down reaches all copies */
    struct filter *filters;
};

struct lane_door {
    struct transport *transport;
    struct listener *listener;
    char *name; /* the lane's, as the receiver is asked for it */
    char *path;
    bool compressed;
    uint64_t nbd_size;             /* of the export that is spoken for; 0: nothing is said here */
    struct nbd_greeting *greeting; /* of the last connection, as long as it goes on */
    size_t count;
    struct error failure; /* of the last lane */
};

/* The hypervisor's end comes first: cutting the link alone would not end the lane, for ssh's
 * control master has a copy of the socket and may be stuck.
 */
static void lane_free(struct lane *lane)
{
    shutdown(lane->fd, SHUT_RDWR);
    close(lane->fd);
    filters_free(&lane->filters);
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

static void note_failure(const struct lane *lane)
{
    struct error why = lane->link->why;

    if (why.kind == ERROR_NONE)
        error_set(&why, ERROR_LOST, "lane %s broke (status %d)", lane->name, lane->link->status);
    else
        error_prefix(&why, "lane %s", lane->name);
    if (lane->door) /* not of a probe */
        lane->transport->lane_failure = why;
    if (lane->door && lane->number == lane->door->count)
        lane->door->failure = why;
}

static void on_end(void *arg)
{
    struct lane *lane = arg;

    if (lane->link->status)
        note_failure(lane);
    unlink_lane(lane);
    filters_leave(&lane->filters, &lane->transport->filters);
    lane_free(lane);
}

/* Programs like ssh expect a blocking standard input, or set what they need themselves. */
static struct link *dial(struct transport *transport, const char *name, int fd, struct error *err)
{
    const char *const words[] = { "lane", transport->id, transport->ticket, name, NULL };

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return transport->ops->dial(transport, words, fd, err);
}

/* The limit is for what the lane carries, which is compressed by then. */
static bool add_filters(struct transport *transport, bool compressed, struct filter **filters,
                        int *fd, struct error *err)
{
    return (!compressed || filter_compress(filters, fd, &transport->written, err)) &&
           (!transport->is_limited || filter_limit(filters, fd, false, transport->rate, err));
}

/* The filter costs half of what a lane costs xmig: without a limit there is none, and the receiver
 * limits a lane that gets a limit later.
 */
static void decide_limit(struct transport *transport)
{
    if (!transport->lanes && !transport->peer_is_told)
        transport->is_limited = rate_now(transport->rate) > 0;
}

static bool join_lane(struct transport *transport, struct lane_door *door, const char *name,
                      int taken_fd, struct error *err)
{
    AUTO_CLOSE int fd = taken_fd;
    struct filter *filters = NULL;
    struct link *link = NULL;
    struct lane *lane;

    decide_limit(transport);
    if (add_filters(transport, door && door->compressed, &filters, &fd, err))
        link = dial(transport, name, fd, err);
    if (!link) {
        filters_free(&filters);
        return error_prefix(err, "lane %s", name);
    }
    lane = must(calloc(1, sizeof(*lane)));
    lane->transport = transport;
    lane->door = door;
    lane->number = door ? door->count : 0;
    lane->name = must(strdup(name));
    lane->link = link;
    lane->filters = filters;
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

bool transport_lanes_ok(const struct transport *transport, struct error *err)
{
    if (transport->lane_failure.kind && err)
        *err = transport->lane_failure;
    return !transport->lane_failure.kind;
}

void transport_cut_lanes(struct transport *transport)
{
    transport->lanes_are_cut = true;
    while (transport->lanes) {
        struct lane *lane = transport->lanes;

        transport->lanes = lane->next;
        lane_free(lane);
    }
    filters_free(&transport->filters);
}

/* The hypervisor may have taken its connection for good by now: then its failure comes much later,
 * and nobody asks the door why.
 */
static void join_door(struct lane_door *door, int fd)
{
    if (!join_lane(door->transport, door, door->name, fd, &door->failure))
        door->transport->lane_failure = door->failure;
}

static void refuse(struct lane_door *door, const char *why)
{
    error_set(&door->failure, ERROR_SYSTEM, "lane %s: %s", door->name, why);
    door->transport->lane_failure = door->failure;
}

static void on_greeted(void *arg, int fd)
{
    struct lane_door *door = arg;

    door->greeting = NULL;
    if (fd < 0)
        refuse(door, "the hypervisor speaks no NBD that is understood");
    else if (door->transport->lanes_are_cut)
        close(fd);
    else
        join_door(door, fd);
}

/* The hypervisor, whose guest stands still while it connects, need not wait for the lane. */
static void greet(struct lane_door *door, int fd)
{
    nbd_greeting_free(door->greeting);
    door->greeting = nbd_greet(door->transport->loop, fd, door->nbd_size, on_greeted, door);
    if (!door->greeting)
        refuse(door, "the hypervisor's NBD client cannot be answered");
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
    if (door->nbd_size)
        greet(door, fd);
    else
        join_door(door, fd);
}

static char *socket_path(const char *dir, const char *name)
{
    char *path = formatted("%s/lane-%s.sock", dir, name);

    for (char *c = path + strlen(dir) + 1; *c; c++)
        if (*c == '/')
            *c = '-';
    return path;
}

static struct lane_door *make_door(struct transport *transport, const char *name, bool compressed,
                                   uint64_t nbd_size, struct error *err)
{
    struct lane_door *door = must(calloc(1, sizeof(*door)));

    door->transport = transport;
    door->compressed = compressed && transport->peer_decompresses;
    door->nbd_size = transport->peer_greets ? nbd_size : 0;
    door->name = formatted("%s%s%s", door->compressed ? LANE_LZ4 "/" : "",
                           door->nbd_size ? LANE_NBD "/" : "", name);
    door->path = socket_path(transport->options.runtime_dir, name);
    door->listener = listener_new(transport->loop, door->path, on_connection, door, err);
    if (door->listener)
        return door;
    lane_door_free(door);
    return NULL;
}

struct lane_door *lane_door_new(struct transport *transport, const char *name, bool compressed,
                                struct error *err)
{
    return make_door(transport, name, compressed, 0, err);
}

struct lane_door *lane_door_new_nbd(struct transport *transport, const char *name, uint64_t size,
                                    bool compressed, struct error *err)
{
    return make_door(transport, name, compressed, size, err);
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
    nbd_greeting_free(door->greeting);
    listener_free(door->listener);
    free(door->path);
    free(door->name);
    free(door);
}

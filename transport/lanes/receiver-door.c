/* The receiver's door: a unix socket at which other processes of this machine get a lane's
 * descriptor, or leave a new control connection, with the process that owns the migration.
 *
 * One request a connection, a line of JSON: {"lane": NAME, "ticket": TICKET}, or {"control":
 * true} with two descriptors (SCM_RIGHTS). Answered by a line, {"ok": true}, for a lane with its
 * number and two descriptors, the lane's and that of the memory that lanes share, or {"error":
 * TEXT}. Who comes through a forwarded socket cannot take a descriptor, and says so with "relay":
 * true: after the line the connection itself is the lane; with "frames": true, which the answer
 * repeats, as frames.
 */
#include "xmig/transport.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#include "transport/lanes/filter.h"
#include "transport/lanes/descriptors.h"
#include "transport/lanes/share.h"
#include "xmig/cleanup.h"
#include "xmig/journal.h"
#include "xmig/lanes.h"
#include "xmig/nbd.h"
#include "xmig/text.h"

enum {
    REQUEST_MAX = 4096,
    ASKERS_MAX = 256, /* who has not said its ticket yet; a lane's is said at once */
    ASKER_MS = 10 * 1000,
    ASKER_HANDLES = 2
};

/* Somebody at the door. */
struct asker {
    struct asker *next;
    struct receiver_door *door;
    uv_poll_t poll;
    uv_timer_t patience;
    int handles; /* the loop's */
    bool is_overdue;
    int fd;
    int brought[2]; /* -1: none (yet) */
    size_t len;
    char request[REQUEST_MAX];
};

struct receiver_door {
    struct loop *loop;
    struct listener *listener;
    struct receiver_door_ops ops;
    char *id;
    char *ticket;
    char *dir;
    char *path;
    bool made_dir;
    struct asker *askers; /* the last one first */
    size_t asker_count;
    struct filter *filters; /* of all lanes */
    struct rate *rate;      /* NULL: no limit of this host's */
    struct lane_share *share;
    int share_fd;
    char *lanes[LANE_SHARE_LANES]; /* names, by number; NULL: not in use */
};

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        close(steal_fd(fd));
}

static void free_asker(uv_handle_t *handle)
{
    struct asker *asker = handle->data;

    if (--asker->handles == 0)
        free(asker);
}

static void send_off(struct asker *asker)
{
    struct asker **link = &asker->door->askers;

    while (*link != asker)
        link = &(*link)->next;
    *link = asker->next;
    asker->door->asker_count--;
    uv_poll_stop(&asker->poll);
    uv_close((uv_handle_t *)&asker->poll, free_asker);
    uv_close((uv_handle_t *)&asker->patience, free_asker);
    close_if_open(&asker->brought[0]);
    close_if_open(&asker->brought[1]);
    close(asker->fd);
}

/* An answer fits into an empty socket's buffer; one that does not go is lost. */
static bool answer(const struct asker *asker, cJSON *taken, const int fds[], size_t count)
{
    AUTO_JSON cJSON *json = taken;
    AUTO_FREE char *text = json_print(json);
    AUTO_FREE char *line = formatted("%s\n", text);

    return descriptors_send(asker->fd, line, fds, count) == (ssize_t)strlen(line);
}

static bool answer_ok(const struct asker *asker)
{
    cJSON *json = must(cJSON_CreateObject());

    cJSON_AddTrueToObject(json, "ok");
    return answer(asker, json, NULL, 0);
}

static bool answer_relayed(const struct asker *asker, bool framed)
{
    cJSON *json = must(cJSON_CreateObject());

    cJSON_AddTrueToObject(json, "ok");
    if (framed)
        cJSON_AddTrueToObject(json, "frames");
    return answer(asker, json, NULL, 0);
}

static void answer_error(const struct asker *asker, const char *text)
{
    cJSON *json = json_new("error", text);

    (void)answer(asker, json, NULL, 0);
}

/* Takes as long for a wrong ticket as for the right one. */
static bool is_ticket(const struct receiver_door *door, const char *ticket)
{
    size_t len = strlen(door->ticket);

    return strlen(ticket) == len && CRYPTO_memcmp(ticket, door->ticket, len) == 0;
}

/* The lane's other end is an `xmig lane` of this machine, as it is over a session of ssh. */
static bool start_relay(const struct asker *asker, const char *name, bool framed, struct error *err)
{
    const struct receiver_door *door = asker->door;
    const char *const words[] = {
        "/proc/self/exe", "lane", door->id, door->ticket, name, framed ? "--framed" : NULL, NULL,
    };
    struct child *child;

    if (!answer_relayed(asker, framed))
        return true;
    child = child_start(door->loop, words, asker->fd, asker->fd, STDERR_FILENO, err);
    child_release(child);
    return child != NULL;
}

/* The name of what a lane carries, compressed or not. */
static const char *inner_name(const char *name)
{
    static const char lz4[] = LANE_LZ4 "/";

    return strncmp(name, lz4, strlen(lz4)) ? name : name + strlen(lz4);
}

/* The hypervisor's descriptor, or one of a filter's before it. */
static int open_lane(struct receiver_door *door, const char *name, struct error *err)
{
    bool compressed = inner_name(name) != name;
    struct filter *filters = NULL;
    AUTO_CLOSE int fd = door->ops.lane(door->ops.arg, inner_name(name), err);

    if (fd < 0 || (compressed && !filter_decompress(&filters, &fd, name, err)))
        return -1;
    if (door->rate && !filter_limit(&filters, &fd, true, door->rate, err)) {
        filters_free(&filters);
        return -1;
    }
    filters_leave(&filters, &door->filters);
    return steal_fd(&fd);
}

/* A lane that is opened again has the same one. Those beyond the last number share that. */
static size_t number_of(struct receiver_door *door, const char *name)
{
    size_t number = 0;

    while (number < LANE_SHARE_LANES - 1 && door->lanes[number] &&
           strcmp(door->lanes[number], name))
        number++;
    if (!door->lanes[number])
        door->lanes[number] = must(strdup(name));
    return number;
}

/* What a lane's bytes are counted as. */
static const char *subject_of(const char *name)
{
    static const char nbd[] = LANE_NBD "/";

    return strncmp(name, nbd, strlen(nbd)) ? name : name + strlen(nbd);
}

static void answer_lane(const struct asker *asker, const char *name, int fd)
{
    cJSON *json = must(cJSON_CreateObject());

    cJSON_AddTrueToObject(json, "ok");
    json_add_uint(json, "number", number_of(asker->door, subject_of(inner_name(name))));
    (void)answer(asker, json, (const int[]){ fd, asker->door->share_fd }, 2);
}

static void give_lane(const struct asker *asker, const cJSON *request)
{
    struct receiver_door *door = asker->door;
    const char *name = json_string_or(request, "lane", "");
    struct error err = { 0 };
    AUTO_CLOSE int fd = -1;

    if (!is_ticket(door, json_string_or(request, "ticket", ""))) {
        answer_error(asker, "the ticket is not this migration's");
        return;
    }
    if (json_true(request, "relay")) {
        if (!start_relay(asker, name, json_true(request, "frames"), &err))
            answer_error(asker, err.text);
        return;
    }
    fd = open_lane(door, name, &err);
    if (fd >= 0)
        answer_lane(asker, name, fd);
    else
        answer_error(asker, err.text);
}

static void take_control(struct asker *asker)
{
    const struct receiver_door *door = asker->door;

    if (asker->brought[1] < 0)
        answer_error(asker, "a control connection is two descriptors");
    else if (answer_ok(asker))
        door->ops.control(door->ops.arg, steal_fd(&asker->brought[0]),
                          steal_fd(&asker->brought[1]));
}

/* Has the asker hung up? It may have timed out while this process was stopped. */
static bool has_gone(const struct asker *asker)
{
    struct pollfd polled = { .fd = asker->fd };

    return poll(&polled, 1, 0) > 0 && (polled.revents & (POLLHUP | POLLERR));
}

static void serve(struct asker *asker, size_t len)
{
    struct error err = { 0 };
    AUTO_JSON cJSON *request = json_parse_object(asker->request, len, &err);

    if (has_gone(asker))
        return;
    if (!request)
        answer_error(asker, err.text);
    else if (json_true(request, "control"))
        take_control(asker);
    else
        give_lane(asker, request);
}

static void on_request(uv_poll_t *poll_handle, int status, int events)
{
    struct asker *asker = poll_handle->data;
    ssize_t got;
    const char *end;
    (void)events;

    got = status < 0 ? 0
                     : descriptors_receive(asker->fd, asker->request + asker->len,
                                           REQUEST_MAX - asker->len, asker->brought);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        asker->len += (size_t)got;
    end = memchr(asker->request, '\n', asker->len);
    if (end)
        serve(asker, (size_t)(end - asker->request));
    else if (got > 0 && asker->len < REQUEST_MAX)
        return;
    else if (got > 0)
        answer_error(asker, "the request is too long");
    send_off(asker);
}

/* The loop runs timers before it reads: after it stood still, the request may be here already. */
static void on_impatience(uv_timer_t *patience)
{
    struct asker *asker = patience->data;

    if (!asker->is_overdue) {
        asker->is_overdue = true;
        uv_timer_start(patience, on_impatience, 1, 0);
        return;
    }
    answer_error(asker, "the request did not come in time");
    send_off(asker);
}

/* Who has waited longest makes room. */
static void make_room(struct receiver_door *door)
{
    struct asker *oldest = door->askers;

    if (door->asker_count < ASKERS_MAX)
        return;
    while (oldest->next)
        oldest = oldest->next;
    answer_error(oldest, "too many others ask");
    send_off(oldest);
}

static void on_asker(void *arg, int fd)
{
    struct receiver_door *door = arg;
    struct asker *asker = must(calloc(1, sizeof(*asker)));

    make_room(door);
    *asker = (struct asker){ .next = door->askers,
                             .door = door,
                             .handles = ASKER_HANDLES,
                             .fd = fd,
                             .brought = { -1, -1 } };
    door->askers = asker;
    door->asker_count++;
    if (uv_poll_init(loop_uv(door->loop), &asker->poll, fd) ||
        uv_timer_init(loop_uv(door->loop), &asker->patience))
        abort();
    asker->poll.data = asker->patience.data = asker;
    uv_poll_start(&asker->poll, UV_READABLE, on_request);
    uv_timer_start(&asker->patience, on_impatience, ASKER_MS, 0);
}

static bool make_dir(struct receiver_door *door, struct error *err)
{
    door->made_dir = mkdir(door->dir, 0700) == 0;
    if (door->made_dir || errno == EEXIST)
        return true;
    return error_set(err, ERROR_SYSTEM, "cannot create '%s': %m", door->dir);
}

struct receiver_door *receiver_door_new(struct loop *loop, const char *runtime_dir, const char *id,
                                        const char *ticket, struct receiver_door_ops ops,
                                        struct error *err)
{
    struct receiver_door *door = must(calloc(1, sizeof(*door)));

    door->loop = loop;
    door->ops = ops;
    door->id = must(strdup(id));
    door->ticket = must(strdup(ticket));
    door->dir = formatted("%s/%s", runtime_dir, id);
    door->path = formatted("%s/" RECEIVER_DOOR, door->dir);
    door->share_fd = -1;
    door->share = lane_share_new(&door->share_fd, err);
    if (door->share && make_dir(door, err))
        door->listener = listener_new(loop, door->path, on_asker, door, err);
    if (door->listener)
        return door;
    receiver_door_free(door);
    return NULL;
}

void receiver_door_limit(struct receiver_door *door, uint64_t bytes_per_s)
{
    door->rate = rate_new(bytes_per_s);
}

void receiver_door_limit_lanes(struct receiver_door *door, uint64_t bytes_per_s)
{
    rate_set(&door->share->rate, bytes_per_s);
}

void receiver_door_beat(struct receiver_door *door)
{
    atomic_store(&door->share->beats, true);
}

cJSON *receiver_door_carried(const struct receiver_door *door)
{
    cJSON *lanes = must(cJSON_CreateArray());

    for (size_t i = 0; i < LANE_SHARE_LANES && door->lanes[i]; i++) {
        cJSON *lane = json_new("subject", door->lanes[i]);

        json_add_uint(lane, "sent", atomic_load(&door->share->carried[i]));
        cJSON_AddItemToArray(lanes, lane);
    }
    return lanes;
}

void receiver_door_free(struct receiver_door *door)
{
    if (!door)
        return;
    while (door->askers)
        send_off(door->askers);
    filters_free(&door->filters);
    rate_free(door->rate);
    listener_free(door->listener);
    if (door->made_dir)
        (void)rmdir(door->dir); /* others may have put something there */
    free(door->dir);
    free(door->path);
    free(door->id);
    free(door->ticket);
    for (size_t i = 0; i < LANE_SHARE_LANES; i++)
        free(door->lanes[i]);
    lane_share_free(door->share);
    close_if_open(&door->share_fd);
    free(door);
}

const char *receiver_door_path(const struct receiver_door *door)
{
    return door->path;
}

bool receiver_door_ok(const struct receiver_door *door, struct error *err)
{
    return filters_ok(door->filters, err);
}

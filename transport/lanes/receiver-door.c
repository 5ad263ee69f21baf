/* The receiver's door: a unix socket at which other processes of this machine get a lane's
 * descriptor, or leave a new control connection, with the process that owns the migration.
 *
 * One request a connection, a line of JSON: {"lane": NAME, "ticket": TICKET}, or {"control":
 * true} with two descriptors (SCM_RIGHTS). Answered by a line, {"ok": true}, with the
 * lane's descriptor, or {"error": TEXT}. Who comes through a forwarded socket cannot take a
 * descriptor, and says so with "relay": true: after the line the connection itself is the lane.
 */
#include "xmig/transport.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#include "transport/lanes/filter.h"
#include "transport/lanes/descriptors.h"
#include "xmig/cleanup.h"
#include "xmig/journal.h"
#include "xmig/lanes.h"
#include "xmig/text.h"

enum {
    REQUEST_MAX = 4096,
    ANSWER_MAX = 8 * ERROR_TEXT_MAX, /* JSON may need six bytes for one of the text */
    LANE_TIMEOUT_MS = 30 * 1000,
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
    struct rate *rate;      /* NULL: no limit */
};

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        close(steal_fd(fd));
}

static char *door_path(const char *dir)
{
    return formatted("%s/recv.sock", dir);
}

static char *migration_dir(const char *runtime_dir, const char *id)
{
    return formatted("%s/%s", runtime_dir, id);
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
static bool answer(const struct asker *asker, cJSON *taken, int fd)
{
    AUTO_JSON cJSON *json = taken;
    AUTO_FREE char *text = json_print(json);
    AUTO_FREE char *line = formatted("%s\n", text);

    return descriptors_send(asker->fd, line, &fd, fd >= 0) == (ssize_t)strlen(line);
}

static bool answer_ok(const struct asker *asker, int fd)
{
    cJSON *json = must(cJSON_CreateObject());

    cJSON_AddTrueToObject(json, "ok");
    return answer(asker, json, fd);
}

static void answer_error(const struct asker *asker, const char *text)
{
    cJSON *json = must(cJSON_CreateObject());

    cJSON_AddStringToObject(json, "error", text);
    (void)answer(asker, json, -1);
}

/* Takes as long for a wrong ticket as for the right one. */
static bool is_ticket(const struct receiver_door *door, const char *ticket)
{
    size_t len = strlen(door->ticket);

    return strlen(ticket) == len && CRYPTO_memcmp(ticket, door->ticket, len) == 0;
}

/* The lane's other end is an `xmig lane` of this machine, as it is over a session of ssh. */
static bool relay_lane(const struct asker *asker, const char *name, struct error *err)
{
    const struct receiver_door *door = asker->door;
    const char *const words[] = { "/proc/self/exe", "lane", door->id, door->ticket, name, NULL };
    struct child *child;

    if (!answer_ok(asker, -1))
        return true;
    child = child_start(door->loop, words, asker->fd, asker->fd, STDERR_FILENO, err);
    child_release(child);
    return child != NULL;
}

/* The hypervisor's descriptor, or one of a filter's before it. */
static int open_lane(struct receiver_door *door, const char *name, struct error *err)
{
    static const char lz4[] = LANE_LZ4 "/";
    bool compressed = !strncmp(name, lz4, strlen(lz4));
    struct filter *filters = NULL;
    AUTO_CLOSE int fd = door->ops.lane(door->ops.arg, compressed ? name + strlen(lz4) : name, err);

    if (fd < 0 || (compressed && !filter_decompress(&filters, &fd, name, err)))
        return -1;
    if (door->rate && !filter_limit(&filters, &fd, true, door->rate, err)) {
        filters_free(&filters);
        return -1;
    }
    filters_leave(&filters, &door->filters);
    return steal_fd(&fd);
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
        if (!relay_lane(asker, name, &err))
            answer_error(asker, err.text);
        return;
    }
    fd = open_lane(door, name, &err);
    if (fd >= 0)
        (void)answer_ok(asker, fd);
    else
        answer_error(asker, err.text);
}

static void take_control(struct asker *asker)
{
    const struct receiver_door *door = asker->door;

    if (asker->brought[1] < 0)
        answer_error(asker, "a control connection is two descriptors");
    else if (answer_ok(asker, -1))
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
    door->dir = migration_dir(runtime_dir, id);
    door->path = door_path(door->dir);
    if (make_dir(door, err))
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

static int knock(const char *runtime_dir, const char *id, struct error *err)
{
    AUTO_FREE char *dir = migration_dir(runtime_dir, id);
    AUTO_FREE char *path = door_path(dir);
    struct error why = { 0 };
    int fd;

    /* The id comes from the other machine, and becomes part of a path. */
    if (!journal_valid_id(id)) {
        error_set(err, ERROR_REFUSED, "'%s' is not the id of a migration", id);
        return -1;
    }
    fd = connect_unix(path, &why);
    if (fd < 0)
        error_set(err, why.kind == ERROR_REFUSED ? ERROR_REFUSED : ERROR_LOST,
                  "nobody receives migration %s: %s", id, why.text);
    return fd;
}

static void set_patience(int fd, uint64_t timeout_ms)
{
    struct timeval limit = { .tv_sec = (time_t)(timeout_ms / 1000),
                             .tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000) };

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* One line, without its end, and nothing of what follows; the descriptor that came with it goes to
 * `fds[0]`.
 */
static bool receive_line(int fd, char *line, size_t size, int fds[2], struct error *err)
{
    size_t len = 0;

    while (len == 0 || line[len - 1] != '\n') {
        ssize_t got = descriptors_receive(fd, line + len, 1, fds);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return error_set(err, ERROR_TIMEOUT, "the receiver does not answer");
        if (got <= 0)
            return error_set(err, ERROR_LOST, "the receiver went away without an answer");
        len += (size_t)got;
        if (len == size)
            return error_set(err, ERROR_PROTOCOL, "the receiver's answer is too long");
    }
    line[len - 1] = '\0';
    return true;
}

/* Returns the descriptor that came with the answer, which is -1 where `wanted` is false. */
static bool hear_answer(int fd, int *given, struct error *err)
{
    char line[ANSWER_MAX];
    int fds[2] = { -1, -1 };
    AUTO_JSON cJSON *json = NULL;
    bool ok = receive_line(fd, line, sizeof(line), fds, err);

    *given = fds[0];
    close_if_open(&fds[1]);
    if (!ok)
        return false;
    json = json_parse_object(line, strlen(line), err);
    if (!json)
        return false;
    if (json_true(json, "ok"))
        return true;
    return error_set(err, ERROR_PEER, "%s", json_string_or(json, "error", "refused"));
}

/* Put `request` to the door, with descriptors. `*given` is the caller's to close, -1: none. */
static bool ask(int door_fd, const cJSON *request, const int fds[], size_t count,
                uint64_t timeout_ms, int *given, struct error *err)
{
    AUTO_FREE char *text = json_print(request);
    AUTO_FREE char *line = NULL;

    *given = -1;
    set_patience(door_fd, timeout_ms);
    line = formatted("%s\n", text);
    if (descriptors_send(door_fd, line, fds, count) != (ssize_t)strlen(line))
        return error_set(err, ERROR_LOST, "cannot ask the receiver: %m");
    return hear_answer(door_fd, given, err);
}

/* Write one byte; then wait until the reader closes the connection. */
static bool be_probe(int in, int out, struct error *err)
{
    char byte = '+';
    ssize_t count;

    if (write(out, &byte, 1) != 1)
        return error_set(err, ERROR_LOST, "cannot answer: %m");
    do
        count = read(in, &byte, 1);
    while (count > 0 || (count < 0 && errno == EINTR));
    return true;
}

static cJSON *lane_request(const char *ticket, const char *name)
{
    cJSON *request = must(cJSON_CreateObject());

    cJSON_AddStringToObject(request, "lane", name);
    cJSON_AddStringToObject(request, "ticket", ticket);
    return request;
}

int lane_open(const char *runtime_dir, const char *id, const char *ticket, const char *name,
              struct error *err)
{
    AUTO_CLOSE int door_fd = knock(runtime_dir, id, err);
    AUTO_JSON cJSON *request = lane_request(ticket, name);
    int lane_fd = -1;

    if (door_fd < 0)
        return -1;
    if (!ask(door_fd, request, NULL, 0, LANE_TIMEOUT_MS, &lane_fd, err))
        error_prefix(err, "lane %s", name);
    else if (lane_fd < 0)
        error_set(err, ERROR_PROTOCOL, "lane %s: the receiver gave none", name);
    return lane_fd;
}

bool lane_join(const char *runtime_dir, const char *id, const char *ticket, const char *name,
               int in, int out, struct error *err)
{
    AUTO_CLOSE int lane_fd = -1;

    if (!strcmp(name, LANE_PROBE))
        return be_probe(in, out, err);
    lane_fd = lane_open(runtime_dir, id, ticket, name, err);
    if (lane_fd < 0)
        return false;
    return relay_both(in, out, lane_fd, err) || error_prefix(err, "lane %s", name);
}

bool lane_join_via(const char *socket, const char *ticket, const char *name, int in, int out,
                   struct error *err)
{
    AUTO_CLOSE int door_fd = connect_unix(socket, err);
    AUTO_CLOSE int given = -1;
    AUTO_JSON cJSON *request = lane_request(ticket, name);

    if (door_fd < 0)
        return false;
    cJSON_AddTrueToObject(request, "relay");
    if (!ask(door_fd, request, NULL, 0, LANE_TIMEOUT_MS, &given, err) ||
        !relay_both(in, out, door_fd, err))
        return error_prefix(err, "lane %s", name);
    return true;
}

/* Give the receiver a socket, not `in` and `out` themselves, so that we see when it has finished.
 * The program that started us sees it by our end.
 */
bool receiver_door_hand_over(const char *runtime_dir, const char *id, int in, int out,
                             uint64_t timeout_ms, struct error *err)
{
    AUTO_CLOSE int door_fd = knock(runtime_dir, id, err);
    AUTO_CLOSE int ours = -1;
    AUTO_CLOSE int given = -1;
    AUTO_JSON cJSON *request = must(cJSON_CreateObject());
    int both[2];
    bool ok;

    if (door_fd < 0)
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot create a socket: %m");
    ours = both[0];
    cJSON_AddTrueToObject(request, "control");
    ok = ask(door_fd, request, (const int[]){ both[1], both[1] }, 2, timeout_ms, &given, err);
    close(both[1]);
    if (!ok)
        return error_prefix(err, "migration %s", id);
    /* How it ends is a matter between the two who talk. */
    (void)relay_both(in, out, ours, NULL);
    return true;
}

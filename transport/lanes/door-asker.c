/* Those who come to the receiver's door: a process that carries a lane, and one that has heard a
 * new control connection.
 */
#include "xmig/transport.h"

#include <errno.h>
#include <sys/socket.h>

#include "transport/lanes/descriptors.h"
#include "transport/lanes/share.h"
#include "xmig/cleanup.h"
#include "xmig/journal.h"
#include "xmig/lanes.h"
#include "xmig/text.h"

enum {
    ANSWER_MAX = 8 * ERROR_TEXT_MAX, /* JSON may need six bytes for one of the text */
    LANE_TIMEOUT_MS = 30 * 1000
};

static int knock(const char *runtime_dir, const char *id, struct error *err)
{
    AUTO_FREE char *path = formatted("%s/%s/" RECEIVER_DOOR, runtime_dir, id);
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

/* Returns also the descriptors that came with the answer, -1 where there was none. */
static cJSON *hear_answer(int fd, int given[2], struct error *err)
{
    char line[ANSWER_MAX];
    AUTO_JSON cJSON *json = NULL;

    if (!receive_line(fd, line, sizeof(line), given, err))
        return NULL;
    json = json_parse_object(line, strlen(line), err);
    if (!json || json_true(json, "ok"))
        return steal(json);
    error_set(err, ERROR_PEER, "%s", json_string_or(json, "error", "refused"));
    return NULL;
}

/* Put `request` to the door, with descriptors. The answer, and what is `given` with it (-1: none),
 * are the caller's.
 */
static cJSON *ask(int door_fd, const cJSON *request, const int fds[], size_t count,
                  uint64_t timeout_ms, int given[2], struct error *err)
{
    AUTO_FREE char *text = json_print(request);
    AUTO_FREE char *line = formatted("%s\n", text);

    given[0] = given[1] = -1;
    set_patience(door_fd, timeout_ms);
    if (descriptors_send(door_fd, line, fds, count) == (ssize_t)strlen(line))
        return hear_answer(door_fd, given, err);
    error_set(err, ERROR_LOST, "cannot ask the receiver: %m");
    return NULL;
}

/* Where no descriptor belongs to the answer, which is the caller's. */
static cJSON *ask_for_nothing(int door_fd, const cJSON *request, const int fds[], size_t count,
                              uint64_t timeout_ms, struct error *err)
{
    int given[2];
    cJSON *answer = ask(door_fd, request, fds, count, timeout_ms, given, err);

    cleanup_close(&given[0]);
    cleanup_close(&given[1]);
    return answer;
}

/* Write one byte, or a frame of one; then wait until the reader closes the connection. */
static bool be_probe(int in, int out, bool framed, struct error *err)
{
    static const char frame[] = { 0, 0, 0, 1, '+' };
    ssize_t count = framed ? sizeof(frame) : 1;
    char byte;

    if (write(out, frame + sizeof(frame) - count, (size_t)count) != count)
        return error_set(err, ERROR_LOST, "cannot answer: %m");
    do
        count = read(in, &byte, 1);
    while (count > 0 || (count < 0 && errno == EINTR));
    return true;
}

/* A receiver that began before this program was there has none. */
static void take_share(struct carrier *carrier, int fd, uint64_t number)
{
    *carrier = (struct carrier){ .lane = (size_t)number };
    if (number < LANE_SHARE_LANES)
        carrier->share = lane_share_open(fd);
}

static cJSON *lane_request(const char *ticket, const char *name)
{
    cJSON *request = json_new("lane", name);

    cJSON_AddStringToObject(request, "ticket", ticket);
    return request;
}

int lane_open(const char *runtime_dir, const char *id, const char *ticket, const char *name,
              struct carrier *carrier, struct error *err)
{
    AUTO_CLOSE int door_fd = knock(runtime_dir, id, err);
    AUTO_JSON cJSON *request = lane_request(ticket, name);
    AUTO_JSON cJSON *answer = NULL;
    int given[2];

    if (door_fd < 0)
        return -1;
    answer = ask(door_fd, request, NULL, 0, LANE_TIMEOUT_MS, given, err);
    take_share(carrier, given[1], json_uint_or(answer, "number", 0));
    cleanup_close(&given[1]);
    if (!answer)
        error_prefix(err, "lane %s", name);
    else if (given[0] < 0)
        error_set(err, ERROR_PROTOCOL, "lane %s: the receiver gave none", name);
    if (answer)
        return given[0];
    cleanup_close(&given[0]);
    return -1;
}

bool lane_join(const char *runtime_dir, const char *id, const char *ticket, const char *name,
               int in, int out, bool framed, struct error *err)
{
    AUTO_CLOSE int lane_fd = -1;
    enum relay_beat beat;
    struct carrier carrier;

    if (!strcmp(name, LANE_PROBE))
        return be_probe(in, out, framed, err);
    lane_fd = lane_open(runtime_dir, id, ticket, name, &carrier, err);
    if (lane_fd < 0)
        return false;
    beat = carrier.share && atomic_load(&carrier.share->beats) ? RELAY_BEAT_WORDS : RELAY_BEAT_NONE;
    beat = framed ? RELAY_BEAT_FRAMES_A : beat;
    return relay_lane(in, out, lane_fd, &carrier, beat, err) || error_prefix(err, "lane %s", name);
}

bool lane_join_via(const char *socket, const char *ticket, const char *name, int in, int out,
                   struct error *err)
{
    AUTO_CLOSE int door_fd = connect_unix(socket, err);
    AUTO_JSON cJSON *request = lane_request(ticket, name);
    AUTO_JSON cJSON *answer = NULL;
    enum relay_beat beat;

    if (door_fd < 0)
        return false;
    cJSON_AddTrueToObject(request, "relay");
    cJSON_AddTrueToObject(request, "frames");
    answer = ask_for_nothing(door_fd, request, NULL, 0, LANE_TIMEOUT_MS, err);
    beat = json_true(answer, "frames") ? RELAY_BEAT_FRAMES_B : RELAY_BEAT_NONE;
    if (!answer || !relay_lane(in, out, door_fd, &(struct carrier){ 0 }, beat, err))
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
    AUTO_JSON cJSON *request = must(cJSON_CreateObject());
    AUTO_JSON cJSON *answer = NULL;
    int both[2];

    if (door_fd < 0)
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot create a socket: %m");
    ours = both[0];
    cJSON_AddTrueToObject(request, "control");
    answer =
        ask_for_nothing(door_fd, request, (const int[]){ both[1], both[1] }, 2, timeout_ms, err);
    close(both[1]);
    if (!answer)
        return error_prefix(err, "migration %s", id);
    /* How it ends is a matter between the two who talk. */
    (void)relay_both(in, out, ours, NULL);
    return true;
}

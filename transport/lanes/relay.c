/* Bytes both ways between two ends, moved by splice(2): they stay in the kernel, in a pipe
 * of ours, and are copied only where a descriptor cannot do that.
 */
#include "transport/lanes/share.h"
#include "xmig/lanes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "xmig/cleanup.h"

enum {
    PIPE_SIZE = 1024 * 1024, /* what an unprivileged user may have */
    COPY_SIZE = 256 * 1024,
    SOCKET_BUFFER_SIZE = 4 * 1024 * 1024, /* some of a mirror's requests, of 1 MiB each */
    FRAME_HEAD = 4,
    BEAT_MS = 2000,
};

enum framing {
    BARE,
    FRAMES,   /* what is written is framed */
    UNFRAMES, /* … what is read */
};

struct direction {
    int from, to;
    int pipe[2];
    size_t piped;       /* bytes in the pipe */
    char *buffer;       /* NULL as long as splice() serves */
    size_t start, end;  /* the buffer's bytes that are still to be written */
    bool ended;         /* no more will come */
    bool over;          /* … and all has been passed on, or nobody reads any more */
    struct error *lost; /* set when bytes were lost */
    struct carrier carrier;
    struct turn turn; /* of the bytes that are to be written */
    enum framing framing;
    unsigned char head[FRAME_HEAD]; /* of the frame that is read */
    size_t head_len;
    size_t rest; /* of that frame's bytes */
};

static bool is_pending(const struct direction *way)
{
    return way->piped > 0 || way->start < way->end;
}

/* End one direction of a socket. Anything else is exchanged for /dev/null, which closes it
 * for the other end, while the number stays its owner's to close.
 */
static void let_go(int fd, int how)
{
    AUTO_CLOSE int null = -1;

    if (shutdown(fd, how) == 0 || errno != ENOTSOCK)
        return;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0)
        dup3(null, fd, O_CLOEXEC);
}

static void pass_end_on(struct direction *way)
{
    way->over = true;
    let_go(way->to, SHUT_WR);
}

/* Shut our reading end, so that the writer gets an error and does not wait for ever. */
static void reader_has_gone(struct direction *way)
{
    way->over = true;
    let_go(way->from, SHUT_RD);
    if (is_pending(way))
        error_set(way->lost, ERROR_LOST, "the reader went away before everything was delivered");
}

static void begin_copying(struct direction *way)
{
    way->buffer = must(malloc(COPY_SIZE));
}

static void get_turn(struct direction *way, ssize_t count)
{
    if (count > 0)
        way->turn = carrier_take(&way->carrier, (size_t)count);
}

static ssize_t take_to_pipe(struct direction *way)
{
    ssize_t count =
        splice(way->from, NULL, way->pipe[1], NULL, carrier_portion(&way->carrier, PIPE_SIZE),
               SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    if (count > 0)
        way->piped += (size_t)count;
    get_turn(way, count);
    return count;
}

static ssize_t take_to_buffer(struct direction *way, int from, size_t most)
{
    ssize_t count = read(from, way->buffer, most);

    way->start = 0;
    way->end = count > 0 ? (size_t)count : 0;
    return count;
}

/* ---- frames ---- */

static void put_length(char *head, size_t length)
{
    for (size_t i = FRAME_HEAD; i-- > 0; length >>= 8)
        head[i] = (char)(length & 0xff);
}

static void take_head_byte(struct direction *way, char byte)
{
    way->head[way->head_len++] = (unsigned char)byte;
    if (way->head_len < FRAME_HEAD)
        return;
    way->rest = 0;
    for (size_t i = 0; i < FRAME_HEAD; i++)
        way->rest = way->rest << 8 | way->head[i];
    way->head_len = 0;
}

/* Leave in the buffer only what the frames hold, and return how much that is. */
static size_t unframe(struct direction *way, size_t count)
{
    size_t at = 0, kept = 0;

    while (at < count) {
        size_t part = count - at < way->rest ? count - at : way->rest;

        if (part == 0) {
            take_head_byte(way, way->buffer[at++]);
            continue;
        }
        memmove(way->buffer + kept, way->buffer + at, part);
        kept += part;
        at += part;
        way->rest -= part;
    }
    return kept;
}

static ssize_t take_framed(struct direction *way)
{
    size_t room = way->framing == FRAMES ? FRAME_HEAD : 0;
    size_t most = carrier_portion(&way->carrier, COPY_SIZE - room);
    ssize_t count = read(way->from, way->buffer + room, most);

    way->start = way->end = 0;
    if (count == 0 && (way->rest > 0 || way->head_len > 0))
        error_set(way->lost, ERROR_LOST, "the lane ended in the middle of a frame");
    if (count <= 0)
        return count;
    if (way->framing == FRAMES) {
        put_length(way->buffer, (size_t)count);
        way->end = (size_t)count + room;
    } else {
        way->end = unframe(way, (size_t)count);
    }
    get_turn(way, (ssize_t)(way->end - room));
    return count;
}

/* ---- bytes ---- */

/* Take the bytes that splice() has left in the pipe before new ones. */
static ssize_t take(struct direction *way)
{
    ssize_t count;

    if (way->framing != BARE)
        return take_framed(way);
    if (!way->buffer)
        return take_to_pipe(way);
    if (way->piped) {
        count = take_to_buffer(way, way->pipe[0], COPY_SIZE);
        way->piped -= way->end;
        return count;
    }
    count = take_to_buffer(way, way->from, carrier_portion(&way->carrier, COPY_SIZE));
    get_turn(way, count);
    return count;
}

static ssize_t give(struct direction *way)
{
    ssize_t count;

    if (!way->buffer) {
        count = splice(way->pipe[0], NULL, way->to, NULL, way->piped,
                       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (count > 0)
            way->piped -= (size_t)count;
        return count;
    }
    count = write(way->to, way->buffer + way->start, way->end - way->start);
    if (count > 0)
        way->start += (size_t)count;
    return count;
}

static bool fill(struct direction *way, struct error *err)
{
    ssize_t count = take(way);

    if (count < 0 && errno == EINVAL && !way->buffer) {
        begin_copying(way);
        count = take(way);
    }
    if (count < 0 && errno == ECONNRESET) {
        error_set(way->lost, ERROR_LOST, "the writer closed without reading what it was sent");
        count = 0;
    }
    if (count == 0)
        way->ended = true;
    if (count >= 0 || errno == EAGAIN || errno == EINTR)
        return true;
    return error_set(err, ERROR_LOST, "cannot read: %m");
}

static bool drain(struct direction *way, struct error *err)
{
    ssize_t count;

    if (way->buffer && way->start == way->end && !fill(way, err)) /* from the pipe */
        return false;
    count = give(way);
    if (count < 0 && errno == EINVAL && !way->buffer) {
        begin_copying(way);
        return drain(way, err);
    }
    if (count >= 0 || errno == EAGAIN || errno == EINTR)
        return true;
    if (errno != EPIPE && errno != ECONNRESET)
        return error_set(err, ERROR_LOST, "cannot write: %m");
    reader_has_gone(way);
    return true;
}

/* Milliseconds until what is pending may be written; 0: at once. */
static int wait_ms(const struct direction *way)
{
    return is_pending(way) ? carrier_wait_ms(&way->carrier, &way->turn) : 0;
}

/* Nothing is read while something waits to be written: a pipe that is full counts its
 * slots, not its bytes, so that only an empty one is sure to take what poll() announces.
 *
 * Returns after how many milliseconds the pending bytes' turn comes; -1: they wait for none. The
 * clock is asked once: bytes whose turn came between two looks would wait for no event and no time.
 */
static int say_what_to_wait_for(const struct direction *way, struct pollfd wanted[2])
{
    bool pending = is_pending(way);
    int wait = way->over ? 0 : wait_ms(way);

    wanted[0] = (struct pollfd){ .fd = way->over || pending ? -1 : way->from, .events = POLLIN };
    wanted[1] =
        (struct pollfd){ .fd = way->over ? -1 : way->to, .events = pending && !wait ? POLLOUT : 0 };
    return wait ? wait : -1;
}

static bool move(struct direction *way, const struct pollfd seen[2], struct error *err)
{
    enum {
        GONE = POLLERR | POLLHUP | POLLNVAL
    };

    if (way->over)
        return true;
    /* An end that was closed, and not just shut down, ends the other direction as well,
     * in which there may be nothing to write that would tell, or nothing yet.
     */
    if ((!is_pending(way) || wait_ms(way)) && (seen[1].revents & GONE)) {
        reader_has_gone(way);
        return true;
    }
    if (!is_pending(way) && seen[0].revents && !fill(way, err))
        return false;
    if (is_pending(way) && !wait_ms(way) && !drain(way, err))
        return false;
    if (way->ended && !is_pending(way) && !way->over)
        pass_end_on(way);
    return true;
}

/* A word waits for room: one that blocked would hold up the lane. */
static void say_beat(void)
{
    struct pollfd polled = { .fd = STDERR_FILENO, .events = POLLOUT };
    ssize_t unused =
        poll(&polled, 1, 0) == 1 && (polled.revents & POLLOUT) ? write(STDERR_FILENO, "", 1) : 0;
    (void)unused;
}

static void add_beat(struct direction *way)
{
    if (way->framing != FRAMES || way->over || way->ended || is_pending(way))
        return;
    put_length(way->buffer, 0);
    way->start = 0;
    way->end = FRAME_HEAD;
}

/* Nothing has passed for a while. */
static void do_beat(struct direction ways[2], enum relay_beat beat)
{
    if (beat == RELAY_BEAT_WORDS)
        say_beat();
    add_beat(&ways[0]);
    add_beat(&ways[1]);
}

/* No deadline: the ends close when their owners are through or dead, and a dead link is
 * found by ssh's own keep-alive.
 */
static bool move_until_over(struct direction ways[2], enum relay_beat beat, struct error *err)
{
    while (!ways[0].over || !ways[1].over) {
        struct pollfd polled[4];
        int wait, seen;
        bool is_idle;

        wait = say_what_to_wait_for(&ways[0], &polled[0]);
        (void)say_what_to_wait_for(&ways[1], &polled[2]); /* only the first is limited */
        is_idle = wait < 0 && beat != RELAY_BEAT_NONE;
        seen = poll(polled, 4, is_idle ? BEAT_MS : wait);
        if (seen < 0 && errno == EINTR)
            continue;
        if (seen < 0)
            return error_set(err, ERROR_SYSTEM, "cannot poll: %m");
        if (seen == 0 && is_idle)
            do_beat(ways, beat);
        if (!move(&ways[0], &polled[0], err) || !move(&ways[1], &polled[2], err))
            return false;
    }
    return true;
}

static bool begin(struct direction *way, int from, int to, enum framing framing, struct error *lost,
                  struct error *err)
{
    const int buffer = SOCKET_BUFFER_SIZE;

    *way = (struct direction){ .from = from, .to = to, .framing = framing, .lost = lost };
    if (pipe2(way->pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot create a pipe: %m");
    /* A smaller one, at this user's limit for pipes, serves too. What sshd writes to is often
     * a pipe itself; a larger one has it and us wake each other less often.
     */
    (void)fcntl(way->pipe[0], F_SETPIPE_SZ, PIPE_SIZE);
    (void)fcntl(from, F_SETPIPE_SZ, PIPE_SIZE);
    (void)(setsockopt(to, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer)) &&
           setsockopt(to, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)));
    fcntl(from, F_SETFL, fcntl(from, F_GETFL) | O_NONBLOCK);
    fcntl(to, F_SETFL, fcntl(to, F_GETFL) | O_NONBLOCK);
    if (framing != BARE)
        begin_copying(way);
    return true;
}

static void finish(struct direction *way)
{
    free(way->buffer);
    close(way->pipe[0]);
    close(way->pipe[1]);
}

bool relay_both(int a_in, int a_out, int b, struct error *err)
{
    return relay_lane(a_in, a_out, b, &(struct carrier){ 0 }, RELAY_BEAT_NONE, err);
}

bool relay_lane(int a_in, int a_out, int b, const struct carrier *carrier, enum relay_beat beat,
                struct error *err)
{
    bool a = beat == RELAY_BEAT_FRAMES_A, framed = a || beat == RELAY_BEAT_FRAMES_B;
    enum framing out = a ? UNFRAMES : FRAMES, back = a ? FRAMES : UNFRAMES;
    struct direction ways[2];
    struct error lost = { 0 };
    bool ok;

    if (!begin(&ways[0], a_in, b, framed ? out : BARE, &lost, err))
        return false;
    if (!begin(&ways[1], b, a_out, framed ? back : BARE, &lost, err)) {
        finish(&ways[0]);
        return false;
    }
    ways[0].carrier = *carrier;
    ok = move_until_over(ways, beat, err);
    finish(&ways[0]);
    finish(&ways[1]);
    if (!ok || !lost.kind)
        return ok;
    if (err)
        *err = lost;
    return false;
}

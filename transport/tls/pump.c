/* Moves bytes both ways between a socket and an encrypted connection. */
#include "transport/tls/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "xmig/cleanup.h"
#include "xmig/loop.h"

enum {
    BUFFER_SIZE = 128 * 1024, /* some records of 16 KiB: fewer calls of the system */
    SOCKET_ROOM = 1024 * 1024,
    GONE = POLLERR | POLLHUP | POLLNVAL,
};

struct direction {
    char *bytes;
    size_t start, end; /* the bytes from `start` to `end` are still to be written */
    bool gathered;     /* … or has been written, but not all of it sent */
    bool ended;        /* no more will come */
    bool over;         /* … and its end has been passed on, or nobody takes any more */
};

struct pump {
    struct channel *channel;
    int fd;
    int stop;
    struct direction out; /* from `fd` into the channel */
    struct direction in;
    const struct pump_options *options;
    struct turn turn; /* of what is to be written to `fd` */
    bool drained;     /* the channel has nothing that poll() would not tell of */
    bool lost;        /* the reader of `fd` left before it had everything */
};

static bool is_pending(const struct direction *way)
{
    return way->start < way->end || way->gathered;
}

static bool is_temporary(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* ---- out ---- */

static bool read_fd(struct pump *pump, struct error *err)
{
    ssize_t count = read(pump->fd, pump->out.bytes, BUFFER_SIZE);

    if (count < 0 && is_temporary())
        return true;
    if (count < 0 && errno != ECONNRESET)
        return error_set(err, ERROR_LOST, "cannot read: %m");
    pump->out.start = 0;
    pump->out.end = count > 0 ? (size_t)count : 0;
    pump->out.ended = count <= 0;
    return true;
}

static bool write_channel(struct pump *pump, struct error *err)
{
    struct direction *way = &pump->out;
    ssize_t count = 0;

    while (way->start < way->end && count >= 0) {
        count = pump->channel->ops->write(pump->channel, way->bytes + way->start,
                                          way->end - way->start, err);
        if (count > 0)
            way->start += (size_t)count;
    }
    if (count >= 0)
        count = pump->channel->ops->flush(pump->channel, err);
    way->gathered = count == CHANNEL_AGAIN;
    return count != CHANNEL_LOST;
}

static bool finish_channel(struct pump *pump, struct error *err)
{
    ssize_t result = pump->channel->ops->finish(pump->channel, err);

    if (result == CHANNEL_LOST)
        return false;
    pump->out.over = result == 0;
    if (pump->out.over && pump->options->delivered)
        pump->options->delivered(pump->options->arg);
    return true;
}

static bool move_out(struct pump *pump, short fd_events, struct error *err)
{
    struct direction *way = &pump->out;

    if (way->over)
        return true;
    if (!is_pending(way) && !way->ended && fd_events && !read_fd(pump, err))
        return false;
    if (is_pending(way) && !write_channel(pump, err))
        return false;
    return !way->ended || is_pending(way) || finish_channel(pump, err);
}

/* ---- in ---- */

/* How long the rate limit makes the pending bytes wait, in milliseconds; 0: not at all. */
static int wait_ms(const struct pump *pump)
{
    return is_pending(&pump->in) ? carrier_wait_ms(&pump->options->carrier, &pump->turn) : 0;
}

/* Read until there are no more bytes, or no more room: poll() does not tell of bytes that the
 * library has decrypted already.
 */
static bool read_channel(struct pump *pump, struct error *err)
{
    struct direction *way = &pump->in;
    size_t most = carrier_portion(&pump->options->carrier, BUFFER_SIZE);
    ssize_t count = 1;

    way->start = way->end = 0;
    while (way->end < most && count > 0) {
        count =
            pump->channel->ops->read(pump->channel, way->bytes + way->end, most - way->end, err);
        if (count > 0)
            way->end += (size_t)count;
    }
    if (way->end > 0)
        pump->turn = carrier_take(&pump->options->carrier, way->end);
    way->ended = count == 0;
    pump->drained = count == CHANNEL_AGAIN;
    return count != CHANNEL_LOST;
}

static void reader_has_gone(struct pump *pump)
{
    pump->lost = pump->lost || is_pending(&pump->in);
    pump->in.over = true;
}

static bool write_fd(struct pump *pump, struct error *err)
{
    struct direction *way = &pump->in;
    ssize_t count = send(pump->fd, way->bytes + way->start, way->end - way->start, MSG_NOSIGNAL);

    if (count >= 0)
        way->start += (size_t)count;
    else if (errno == EPIPE || errno == ECONNRESET)
        reader_has_gone(pump);
    else if (!is_temporary())
        return error_set(err, ERROR_LOST, "cannot write: %m");
    return true;
}

/* Move one buffer of bytes, so that the other direction gets its turn. */
static bool move_in(struct pump *pump, bool readable, struct error *err)
{
    struct direction *way = &pump->in;

    if (way->over)
        return true;
    if (!is_pending(way) && !way->ended && (readable || !pump->drained) && !read_channel(pump, err))
        return false;
    if (is_pending(way) && !wait_ms(pump) && !write_fd(pump, err))
        return false;
    if (way->ended && !is_pending(way) && !way->over) {
        shutdown(pump->fd, SHUT_WR);
        way->over = true;
    }
    return true;
}

/* ---- both ---- */

/* Say what poll() shall wait for, and for how many milliseconds. Leave out an end that has nothing
 * to do now, because poll() would report its hang-up all the time.
 *
 * The clock is asked once: bytes whose turn came between two looks would wait for no event and no
 * time.
 */
static int say_what_to_wait_for(const struct pump *pump, struct pollfd wanted[3])
{
    const struct direction *out = &pump->out, *in = &pump->in;
    int wait = in->over ? 0 : wait_ms(pump);
    bool writes = !out->over && (is_pending(out) || out->ended);
    bool reads = !in->over && !is_pending(in);
    bool asks = !out->over && !writes;

    wanted[0] = (struct pollfd){ .fd = asks || !in->over ? pump->fd : -1 };
    wanted[0].events =
        (short)((asks ? POLLIN : 0) | (is_pending(in) && !in->over && !wait ? POLLOUT : 0));
    wanted[1] = (struct pollfd){ .fd = reads || writes || in->over ? pump->channel->fd : -1 };
    wanted[1].events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
    wanted[2] = (struct pollfd){ .fd = pump->stop, .events = POLLIN };
    if (!in->over && !is_pending(in) && !pump->drained)
        return 0;
    return wait ? wait : -1;
}

/* Notice that an end was closed, and not only shut down, which neither reading nor writing tells.
 */
static void notice_the_end(struct pump *pump, const struct pollfd seen[3])
{
    if (seen[0].revents & GONE && !pump->in.over)
        reader_has_gone(pump);
    if (seen[1].revents & GONE && pump->in.over && !pump->out.over) {
        pump->lost = pump->lost || is_pending(&pump->out);
        pump->out.over = true;
    }
}

/* Move bytes until both directions have ended. There is no deadline: the ends close when their
 * owners are done or dead, and TCP finds a dead link, by its keep-alive or by bytes that stay
 * unacknowledged for CHANNEL_DEAD_MS.
 */
static bool run(struct pump *pump, struct error *err)
{
    while (!pump->out.over || !pump->in.over) {
        struct pollfd polled[3];
        int wait = say_what_to_wait_for(pump, polled);

        if (poll(polled, 3, wait) < 0 && errno != EINTR)
            return error_set(err, ERROR_SYSTEM, "cannot poll: %m");
        if (polled[2].revents)
            return error_set(err, ERROR_CANCELLED, "the connection was cut");
        if (!move_out(pump, polled[0].revents, err) || !move_in(pump, polled[1].revents, err))
            return false;
        notice_the_end(pump, polled);
    }
    return !pump->lost ||
           error_set(err, ERROR_LOST, "the reader went away before everything was delivered");
}

bool channel_pump(struct channel *channel, int fd, int stop, const struct pump_options *options,
                  struct error *err)
{
    struct pump pump = { .channel = channel, .fd = fd, .stop = stop, .options = options };
    const int room = SOCKET_ROOM;
    bool ok;

    pump.out.bytes = must(malloc(BUFFER_SIZE));
    pump.in.bytes = must(malloc(BUFFER_SIZE));
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)); /* fewer wake-ups */
    ok = run(&pump, err);
    free(pump.out.bytes);
    free(pump.in.bytes);
    return ok;
}

/* ---- the first words ---- */

void channel_free(struct channel *channel)
{
    if (channel)
        channel->ops->free(channel);
}

static bool wait_for(const struct channel *channel, short events, int stop, uint64_t until,
                     struct error *err)
{
    struct pollfd polled[2] = { { .fd = channel->fd, .events = events },
                                { .fd = stop, .events = POLLIN } };
    uint64_t now = loop_now_ms();

    if (now >= until)
        return error_set(err, ERROR_TIMEOUT, "the peer says nothing");
    if (poll(polled, 2, (int)(until - now)) < 0 && errno != EINTR)
        return error_set(err, ERROR_SYSTEM, "cannot poll: %m");
    if (polled[1].revents)
        return error_set(err, ERROR_CANCELLED, "the connection was cut");
    return true;
}

bool channel_read_all(struct channel *channel, void *bytes, size_t size, int stop,
                      uint64_t timeout_ms, struct error *err)
{
    uint64_t until = loop_now_ms() + timeout_ms;
    size_t done = 0;

    while (done < size) {
        ssize_t count = channel->ops->read(channel, (char *)bytes + done, size - done, err);

        if (count == CHANNEL_LOST)
            return false;
        if (count == 0)
            return error_set(err, ERROR_LOST,
                             "the peer closed the connection before its first word");
        if (count > 0)
            done += (size_t)count;
        else if (!wait_for(channel, POLLIN, stop, until, err))
            return false;
    }
    return true;
}

bool channel_write_all(struct channel *channel, const void *bytes, size_t size, int stop,
                       uint64_t timeout_ms, struct error *err)
{
    uint64_t until = loop_now_ms() + timeout_ms;
    size_t done = 0;

    for (;;) {
        bool all = done == size;
        ssize_t count =
            all ? channel->ops->flush(channel, err)
                : channel->ops->write(channel, (const char *)bytes + done, size - done, err);

        if (count == CHANNEL_LOST)
            return false;
        if (count == 0 && all)
            return true;
        if (count > 0)
            done += (size_t)count;
        else if (!wait_for(channel, POLLOUT, stop, until, err))
            return false;
    }
}

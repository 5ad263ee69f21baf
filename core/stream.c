/* Buffered bytes in both directions.
 *
 * libuv's handles and requests live on the heap until libuv is done with them:
 * a wait may end, and its owner go away, long before.
 */
#include "xmig/stream.h"

#include <sys/socket.h>

#include "xmig/cleanup.h"

struct stream {
    struct loop *loop;
    uv_pipe_t in;
    uv_pipe_t out;
    bool one_handle; /* the same descriptor both ways: `out` is unused */
    bool reading;
    bool freed; /* the owner has gone; we go with the last handle */
    int open_handles;
    uint8_t *buffer;
    size_t start, end, capacity; /* unread bytes are [start, end) */
    size_t limit;
    bool ended;
    struct error broken;
    size_t unsent;
    void (*changed)(void *arg);
    void *arg;
};

struct write {
    uv_write_t request;
    struct stream *stream;
    size_t len;
    char data[];
};

static void changed(struct stream *stream)
{
    if (stream->changed && !stream->freed)
        stream->changed(stream->arg);
}

static void end_with(struct stream *stream, enum error_kind kind, int status)
{
    if (stream->ended)
        return;
    stream->ended = true;
    if (status == UV_EOF)
        error_set(&stream->broken, kind, "the connection was closed");
    else
        error_set(&stream->broken, kind, "the connection broke: %s", uv_strerror(status));
}

/* Make room for one chunk after the unread bytes. */
static uv_buf_t make_room(struct stream *stream)
{
    enum {
        CHUNK = 65536
    };

    if (stream->start > 0) {
        memmove(stream->buffer, stream->buffer + stream->start, stream->end - stream->start);
        stream->end -= stream->start;
        stream->start = 0;
    }
    if (stream->capacity - stream->end < CHUNK) {
        stream->capacity = 2 * stream->capacity + CHUNK; /* many small steps would all be copied */
        stream->buffer = must(realloc(stream->buffer, stream->capacity));
    }
    return uv_buf_init((char *)stream->buffer + stream->end, CHUNK);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    *out = make_room(handle->data);
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buf)
{
    struct stream *stream = handle->data;
    (void)buf;

    if (count == 0)
        return;
    if (count < 0) {
        uv_read_stop(handle);
        stream->reading = false;
        end_with(stream, ERROR_LOST, (int)count);
    } else {
        stream->end += (size_t)count;
        if (stream->end - stream->start >= stream->limit) {
            uv_read_stop(handle);
            stream->reading = false;
        }
    }
    changed(stream);
}

static void start_reading(struct stream *stream)
{
    if (stream->reading || stream->ended || stream->end - stream->start >= stream->limit)
        return;
    stream->reading = uv_read_start((uv_stream_t *)&stream->in, on_alloc, on_read) == 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;

    if (--stream->open_handles > 0)
        return;
    free(stream->buffer);
    free(stream);
}

static void close_handle(uv_pipe_t *pipe)
{
    uv_close((uv_handle_t *)pipe, on_closed);
}

/* A file, or /dev/null, cannot be waited for: libuv would abort. */
static bool can_be_waited_for(int fd)
{
    uv_handle_type type = uv_guess_handle(fd);

    return type == UV_NAMED_PIPE || type == UV_TCP || type == UV_TTY;
}

static bool open_handle(struct stream *stream, uv_pipe_t *pipe, int fd, struct error *err)
{
    int status = uv_pipe_init(loop_uv(stream->loop), pipe, 0);

    if (status)
        abort();
    pipe->data = stream;
    stream->open_handles++;
    if (!can_be_waited_for(fd)) {
        close(fd);
        return error_set(err, ERROR_REFUSED, "descriptor %d is neither a socket nor a pipe", fd);
    }
    status = uv_pipe_open(pipe, fd);
    if (status == 0)
        return true;
    close(fd);
    return error_set(err, ERROR_SYSTEM, "cannot use descriptor %d as a stream: %s", fd,
                     uv_strerror(status));
}

struct stream *stream_new(struct loop *loop, int in_fd, int out_fd, size_t limit, struct error *err)
{
    struct stream *stream = must(calloc(1, sizeof(*stream)));
    bool ok;

    stream->loop = loop;
    stream->limit = limit;
    stream->one_handle = in_fd == out_fd;
    ok = open_handle(stream, &stream->in, in_fd, err);
    if (!stream->one_handle && !open_handle(stream, &stream->out, out_fd, ok ? err : NULL))
        ok = false;
    if (!ok) {
        stream_free(stream);
        return NULL;
    }
    start_reading(stream);
    return stream;
}

void stream_free(struct stream *stream)
{
    if (!stream)
        return;
    stream->freed = true;
    close_handle(&stream->in);
    if (!stream->one_handle)
        close_handle(&stream->out);
}

void stream_on_change(struct stream *stream, void (*callback)(void *arg), void *arg)
{
    stream->changed = callback;
    stream->arg = arg;
}

const uint8_t *stream_peek(const struct stream *stream, size_t *len)
{
    *len = stream->end - stream->start;
    return *len > 0 ? stream->buffer + stream->start : NULL;
}

void stream_consume(struct stream *stream, size_t len)
{
    stream->start += len;
    start_reading(stream);
}

bool stream_ended(const struct stream *stream, struct error *err)
{
    if (stream->ended && err)
        *err = stream->broken;
    return stream->ended;
}

/* Writing has failed, for the other end has gone; what it said before is still to be heard.
 * True when its end came after that.
 */
static bool read_the_rest(struct stream *stream)
{
    uv_os_fd_t fd;
    ssize_t got = 1;

    if (!stream->reading || uv_fileno((const uv_handle_t *)&stream->in, &fd))
        return false;
    while (got > 0 && stream->end - stream->start < stream->limit) {
        uv_buf_t room = make_room(stream);

        got = read(fd, room.base, room.len);
        stream->end += got > 0 ? (size_t)got : 0;
    }
    uv_read_stop((uv_stream_t *)&stream->in);
    stream->reading = false;
    return got == 0;
}

/* Bytes that were not written stay counted in `unsent`, so that stream_flush() notices. */
static void on_written(uv_write_t *request, int status)
{
    struct write *write = (struct write *)request;
    struct stream *stream = write->stream;

    if (status == 0)
        stream->unsent -= write->len;
    free(write);
    if (status < 0 && !stream->freed && !stream->ended) {
        end_with(stream, ERROR_LOST, read_the_rest(stream) ? UV_EOF : status);
        changed(stream);
    }
}

bool stream_write(struct stream *stream, const void *data, size_t len, struct error *err)
{
    uv_pipe_t *pipe = stream->one_handle ? &stream->in : &stream->out;
    struct write *write;
    uv_buf_t buf;
    int status;

    if (stream_ended(stream, err))
        return false;
    write = must(malloc(sizeof(*write) + len));
    write->stream = stream;
    write->len = len;
    memcpy(write->data, data, len);
    buf = uv_buf_init(write->data, (unsigned)len);
    stream->unsent += len;
    status = uv_write(&write->request, (uv_stream_t *)pipe, &buf, 1, on_written);
    if (status == 0)
        return true;
    stream->unsent -= len;
    free(write);
    end_with(stream, ERROR_LOST, status);
    if (err)
        *err = stream->broken;
    return false;
}

size_t stream_unsent(const struct stream *stream)
{
    return stream->unsent;
}

static void shut(const uv_pipe_t *pipe)
{
    uv_os_fd_t fd;

    if (uv_fileno((const uv_handle_t *)pipe, &fd) == 0)
        (void)shutdown(fd, SHUT_RDWR);
}

/* A pipe cannot be shut down; its other end learns of it when we are freed. */
void stream_shutdown(struct stream *stream)
{
    shut(&stream->in);
    if (!stream->one_handle)
        shut(&stream->out);
    if (stream->reading)
        uv_read_stop((uv_stream_t *)&stream->in);
    stream->reading = false;
    end_with(stream, ERROR_LOST, UV_ECONNRESET);
}

static bool all_sent(void *arg)
{
    const struct stream *stream = arg;

    return stream->unsent == 0 || stream->ended;
}

bool stream_flush(struct stream *stream, uint64_t timeout_ms, struct error *err)
{
    if (!loop_wait(stream->loop, all_sent, stream, timeout_ms, err))
        return false;
    if (stream->unsent > 0) {
        if (err)
            *err = stream->broken;
        return false;
    }
    return true;
}

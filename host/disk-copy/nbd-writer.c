/* libnbd on libuv: the loop watches libnbd's descriptor for what libnbd waits for. */
#include "host/disk-copy/nbd-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <libnbd.h>

#include "xmig/cleanup.h"

/* A descriptor of our own: libnbd closes its own when the connection ends, and its number may be
 * another's by the time when libuv stops to watch it.
 */
struct watched {
    uv_poll_t poll; /* first: it is cast */
    int fd;
};

struct nbd_writer {
    struct loop *loop;
    struct nbd_handle *nbd;
    struct watched *watched;   /* on the heap until libuv has closed it */
    uv_idle_t *idle;           /* the same; runs while requests that have ended are not told of */
    struct nbd_request *first; /* of these, and where the next goes */
    struct nbd_request **last;
    bool telling;
    struct error error; /* the first */
};

/* ---- what goes wrong ---- */

static void fail(struct nbd_writer *writer, int number)
{
    const char *why = nbd_get_error();

    if (!writer->error.kind)
        error_set(&writer->error, ERROR_SYSTEM, "writing to the target's disk: %s",
                  number ? strerror(number)
                  : why  ? why
                         : "the connection has ended");
}

static void look_at_connection(struct nbd_writer *writer)
{
    if (nbd_aio_is_dead(writer->nbd) == 1 || nbd_aio_is_closed(writer->nbd) == 1)
        fail(writer, 0);
}

bool nbd_writer_ok(const struct nbd_writer *writer, struct error *err)
{
    if (!writer->error.kind)
        return true;
    *err = writer->error;
    return false;
}

/* ---- requests that have ended ---- */

/* libnbd holds its lock while it calls back: the request is told of its end later. */
static void has_ended(struct nbd_request *request, int error)
{
    struct nbd_writer *writer = request->writer;

    request->error = error;
    request->next = NULL;
    *writer->last = request;
    writer->last = &request->next;
}

static int on_completion(void *arg, int *error)
{
    has_ended(arg, *error);
    return 1; /* libnbd may forget it */
}

static void tell_ended(struct nbd_writer *writer)
{
    if (writer->telling)
        return;
    writer->telling = true;
    while (writer->first) {
        struct nbd_request *request = writer->first;

        writer->first = request->next;
        if (!writer->first)
            writer->last = &writer->first;
        if (request->error)
            fail(writer, request->error);
        request->done(request, request->error == 0);
    }
    writer->telling = false;
}

/* ---- the loop ---- */

static void watch(struct nbd_writer *writer);

static void on_idle(uv_idle_t *idle)
{
    struct nbd_writer *writer = idle->data;

    tell_ended(writer);
    watch(writer);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct nbd_writer *writer = poll->data;
    unsigned direction = nbd_aio_get_direction(writer->nbd);

    if ((direction & LIBNBD_AIO_DIRECTION_READ) && (status < 0 || (events & UV_READABLE)))
        (void)nbd_aio_notify_read(writer->nbd);
    else if ((direction & LIBNBD_AIO_DIRECTION_WRITE) && (status < 0 || (events & UV_WRITABLE)))
        (void)nbd_aio_notify_write(writer->nbd);
    look_at_connection(writer);
    tell_ended(writer);
    watch(writer);
}

static void watch(struct nbd_writer *writer)
{
    unsigned direction = nbd_aio_get_direction(writer->nbd);
    int events = (direction & LIBNBD_AIO_DIRECTION_READ ? UV_READABLE : 0) |
                 (direction & LIBNBD_AIO_DIRECTION_WRITE ? UV_WRITABLE : 0);

    if (writer->first)
        uv_idle_start(writer->idle, on_idle);
    else
        uv_idle_stop(writer->idle);
    if (writer->error.kind || events == 0)
        uv_poll_stop(&writer->watched->poll);
    else
        uv_poll_start(&writer->watched->poll, events, on_event);
}

/* ---- requests ---- */

static nbd_completion_callback completion(struct nbd_request *request)
{
    return (nbd_completion_callback){ .callback = on_completion, .user_data = request };
}

static void sent(struct nbd_writer *writer, struct nbd_request *request, int64_t cookie)
{
    if (cookie < 0)
        has_ended(request, nbd_get_errno() ? nbd_get_errno() : EIO);
    look_at_connection(writer);
    watch(writer);
}

void nbd_writer_write(struct nbd_writer *writer, struct nbd_request *request, const void *buffer,
                      size_t length, uint64_t offset)
{
    request->writer = writer;
    sent(writer, request,
         nbd_aio_pwrite(writer->nbd, buffer, length, offset, completion(request), 0));
}

void nbd_writer_zero(struct nbd_writer *writer, struct nbd_request *request, size_t length,
                     uint64_t offset)
{
    request->writer = writer;
    sent(writer, request, nbd_aio_zero(writer->nbd, length, offset, completion(request), 0));
}

void nbd_writer_flush(struct nbd_writer *writer, struct nbd_request *request)
{
    request->writer = writer;
    sent(writer, request, nbd_aio_flush(writer->nbd, completion(request), 0));
}

/* ---- the connection ---- */

static bool is_settled(void *arg)
{
    struct nbd_writer *writer = arg;

    return writer->error.kind || nbd_aio_is_ready(writer->nbd) == 1;
}

static bool start(struct nbd_writer *writer, const char *path, const char *name, struct error *err)
{
    int fd = connect_unix(path, err);

    if (fd < 0)
        return false;
    writer->nbd = nbd_create();
    if (!writer->nbd || nbd_set_export_name(writer->nbd, name) < 0 ||
        nbd_aio_connect_socket(writer->nbd, fd) < 0) /* takes the descriptor */
        return error_set(err, ERROR_SYSTEM, "connecting to the target's disk: %s", nbd_get_error());
    fd = fcntl(nbd_aio_get_fd(writer->nbd), F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return error_set(err, ERROR_SYSTEM, "connecting to the target's disk: %m");
    writer->watched = must(calloc(1, sizeof(*writer->watched)));
    writer->watched->fd = fd;
    writer->idle = must(calloc(1, sizeof(*writer->idle)));
    writer->watched->poll.data = writer->idle->data = writer;
    if (uv_poll_init(loop_uv(writer->loop), &writer->watched->poll, fd) ||
        uv_idle_init(loop_uv(writer->loop), writer->idle))
        abort();
    watch(writer);
    return true;
}

static bool check_export(struct nbd_writer *writer, uint64_t size, struct error *err)
{
    int64_t found = nbd_get_size(writer->nbd);

    if (found < 0 || (uint64_t)found != size)
        return error_set(err, ERROR_SYSTEM, "the target's disk has %lld bytes, not %llu",
                         (long long)found, (unsigned long long)size);
    return (nbd_can_zero(writer->nbd) == 1 && nbd_can_flush(writer->nbd) == 1) ||
           error_set(err, ERROR_SYSTEM, "the target's disk cannot be made zero, or not be flushed");
}

struct nbd_writer *nbd_writer_new(struct loop *loop, const char *path, const char *name,
                                  uint64_t size, uint64_t timeout_ms, struct error *err)
{
    struct nbd_writer *writer = must(calloc(1, sizeof(*writer)));

    writer->loop = loop;
    writer->last = &writer->first;
    if (start(writer, path, name, err) && loop_wait(loop, is_settled, writer, timeout_ms, err) &&
        nbd_writer_ok(writer, err) && check_export(writer, size, err))
        return writer;
    nbd_writer_free(writer);
    return NULL;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_unwatched(uv_handle_t *handle)
{
    struct watched *watched = (struct watched *)handle;

    close(watched->fd);
    free(watched);
}

void nbd_writer_free(struct nbd_writer *writer)
{
    if (!writer)
        return;
    if (writer->watched) {
        uv_close((uv_handle_t *)&writer->watched->poll, on_unwatched);
        uv_close((uv_handle_t *)writer->idle, on_closed);
    }
    nbd_close(writer->nbd);
    free(writer);
}

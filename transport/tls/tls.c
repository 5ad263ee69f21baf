/* The transport over TLS, to a host where `xmig listen` listens. Each connection has a thread of
 * its own, which connects, sends the first frame, and moves the bytes.
 */
#include "transport/internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "transport/tls/curl-channel.h"
#include "transport/tls/first-frame.h"
#include "xmig/cleanup.h"

enum {
    ANSWER_MS = 30 * 1000,
    LAST_WORDS_MS = 2000,
};

struct tls {
    struct tls_place place;
    struct tls_settings settings;
    struct curl_way *way;
    struct error failure; /* of the last control connection that failed */
};

/* One connection. */
struct connection {
    struct link *link;
    struct tls *tls;
    int ours;     /* a copy of the socket that dial() was given */
    int stop;     /* an eventfd; readable: the thread shall end */
    cJSON *words; /* the first frame */
    bool is_control;
    struct error err; /* only the thread uses these until it has ended */
    bool ok;
    pthread_t thread;
    atomic_bool delivered; /* all that came from `ours` */
    uv_async_t over;
};

/* ---- the thread ---- */

static void note_delivered(void *arg)
{
    struct connection *connection = arg;

    atomic_store(&connection->delivered, true);
}

static bool introduce(struct connection *connection, struct channel *channel)
{
    struct error *err = &connection->err;
    AUTO_JSON cJSON *answer = NULL;

    if (!first_frame_write(channel, connection->words, connection->stop, ANSWER_MS, err))
        return false;
    answer = first_frame_read(channel, connection->stop, ANSWER_MS, err);
    if (answer)
        return answer_is_ok(answer, err) && curl_channel_let_go(channel, err);
    if (err->kind == ERROR_LOST || err->kind == ERROR_TIMEOUT)
        error_append(err, "; the log of 'xmig listen' on %s has the reason",
                     connection->tls->place.host);
    return false;
}

static void *run(void *arg)
{
    struct connection *connection = arg;
    const struct pump_options options = { .delivered = note_delivered, .arg = connection };
    struct channel *channel =
        curl_channel_new(connection->tls->way, connection->stop, &connection->err);

    connection->ok =
        channel && introduce(connection, channel) &&
        channel_pump(channel, connection->ours, connection->stop, &options, &connection->err);
    if (connection->err.kind == ERROR_LOST &&
        !strstr(connection->err.text, connection->tls->place.host))
        error_prefix(&connection->err, "%s", connection->tls->place.host);
    channel_free(channel);
    atomic_store(&connection->delivered, true);
    shutdown(connection->ours, SHUT_RDWR);
    uv_async_send(&connection->over);
    return NULL;
}

/* ---- the link ---- */

static void on_over(uv_async_t *over)
{
    struct connection *connection = over->data;

    if (!connection->ok && connection->is_control)
        connection->tls->failure = connection->err;
    connection->link->why = connection->err;
    link_end(connection->link, connection->ok ? 0 : 1);
}

static void free_connection(uv_handle_t *over)
{
    free(over->data);
}

static void cut(struct link *link)
{
    struct connection *connection = link->impl;
    const uint64_t one = 1;

    while (write(connection->stop, &one, sizeof(one)) < 0)
        ;
    pthread_join(connection->thread, NULL);
    shutdown(connection->ours, SHUT_RDWR);
    close(connection->ours);
    close(connection->stop);
    cJSON_Delete(connection->words);
    uv_close((uv_handle_t *)&connection->over, free_connection);
}

/* Give the thread a moment to send the last bytes: the thread cannot outlive the program. */
static void leave(struct link *link)
{
    const struct connection *connection = link->impl;
    const struct timespec pause = { .tv_nsec = 2000000 };
    uint64_t until = loop_now_ms() + LAST_WORDS_MS;

    while (!atomic_load(&connection->delivered) && loop_now_ms() < until)
        nanosleep(&pause, NULL);
    cut(link);
}

/* Start the thread with all signals blocked: only the loop's thread handles signals. */
static void start_thread(struct connection *connection)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&connection->thread, NULL, run, connection))
        abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static struct link *start(struct transport *transport, const char *const words[], int fd)
{
    static const struct link_ops ops = { .cut = cut, .leave = leave };
    struct connection *connection = must(calloc(1, sizeof(*connection)));

    connection->tls = transport->impl;
    connection->is_control = !strcmp(words[0], "recv");
    connection->words = words_to_frame(words);
    connection->ours = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    connection->stop = eventfd(0, EFD_CLOEXEC);
    connection->link = link_new(transport->loop, &ops, connection);
    if (connection->ours < 0 || connection->stop < 0 ||
        uv_async_init(loop_uv(transport->loop), &connection->over, on_over))
        abort();
    connection->over.data = connection;
    start_thread(connection);
    return connection->link;
}

/* ---- the transport ---- */

static bool tls_accepts(const char *rest, struct error *err)
{
    struct tls_place place;

    if (!tls_place_parse(rest, &place, err))
        return false;
    tls_place_done(&place);
    return true;
}

static void tls_free(struct tls *tls)
{
    curl_way_free(tls->way);
    tls_settings_done(&tls->settings);
    tls_place_done(&tls->place);
    free(tls);
}

static bool tls_open(struct transport *transport, struct error *err)
{
    struct tls *tls = transport->impl;

    if (tls)
        return true;
    tls = must(calloc(1, sizeof(*tls)));
    if (!tls_place_parse(transport->rest, &tls->place, err) ||
        !tls_settings_read(&tls->settings, transport->options.tls, tls->place.host, err)) {
        tls_free(tls);
        return false;
    }
    tls->way = curl_way_new(&tls->place, &tls->settings);
    transport->impl = tls;
    return true;
}

static struct link *tls_dial(struct transport *transport, const char *const words[], int fd,
                             struct error *err)
{
    return tls_open(transport, err) ? start(transport, words, fd) : NULL;
}

static void tls_explain(struct transport *transport, int status, struct error *err)
{
    const struct tls *tls = transport->impl;

    if (status && tls->failure.kind != ERROR_NONE)
        error_set(err, tls->failure.kind, "%s", tls->failure.text);
    else
        error_set(err, ERROR_PEER,
                  "xmig recv on %s ended before its first word; the log of 'xmig listen' there has "
                  "the reason",
                  tls->place.host);
}

static void tls_close(struct transport *transport)
{
    if (transport->impl)
        tls_free(transport->impl);
}

const struct transport_ops transport_tls = {
    .scheme = "tls",
    .summary = "a host where 'xmig listen' listens: tls://HOST:PORT",
    .accepts = tls_accepts,
    .open = tls_open,
    .dial = tls_dial,
    .explain = tls_explain,
    .close = tls_close,
};

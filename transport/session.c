/* The control connection: frames, keep-alive, and what may be said when. */
#include "xmig/session.h"

#include "transport/abort.h"
#include "transport/clocks.h"
#include "transport/frame.h"
#include "transport/idle.h"
#include "transport/queue.h"
#include "xmig/cleanup.h"
#include "xmig/stream.h"
#include "xmig/text.h"

enum {
    SHOWN_MAX = 60, /* of a word that makes no sense */
};

struct session {
    struct loop *loop;
    struct stream *stream;
    enum side side;
    struct session_timing timing;
    uv_timer_t *clock; /* keep-alive; on the heap until libuv has closed it */
    uint64_t heard_ms;
    struct idle idle;
    bool overdue; /* silent for too long, or we have not listened */
    const struct session_station *stations;
    size_t peer_station; /* where the peer is */
    struct message_queue queue;
    bool muted;
    bool lost;
    bool said_goodbye;
    bool heard_goodbye;
    struct error why_lost;
    cJSON *refusals; /* of the peer's checks; NULL: none heard of */
    struct session_history history;
    struct session_lanes lanes;
    struct clocks clocks;
};

/* Permitted at any station, from either side. */
static const char *const always[] = { "hello",   "alive",   "checked", "done", "abort",
                                      "goodbye", "verdict", "settled", "ping", "pong",
                                      "history", "limit",   NULL };

/* The connection is of no use any more. */
static void lose(struct session *session, const struct error *why)
{
    if (session->lost)
        return;
    session->lost = true;
    session->why_lost = *why;
    if (!session->muted)
        loop_interrupt(session->loop, why);
}

static bool is_one_of(const char *type, const char *const types[])
{
    for (; *types; types++)
        if (!strcmp(type, *types))
            return true;
    return false;
}

static bool station_permits(const struct session *session, const char *type)
{
    const struct session_station *station;

    if (!session->stations || !session->stations[session->peer_station].name)
        return false;
    station = &session->stations[session->peer_station];
    for (const struct message_rule *rule = station->rules; rule && rule->type; rule++)
        if (rule->from != session->side && !strcmp(rule->type, type))
            return true;
    return false;
}

static bool permitted(const struct session *session, const char *type)
{
    return is_one_of(type, always) || station_permits(session, type);
}

/* `done` moves the peer to its next station. It must name the present one. */
static bool advance_peer(struct session *session, const cJSON *message, struct error *err)
{
    const char *name = json_string(message, "stage", err);
    const char *here = session->stations ? session->stations[session->peer_station].name : NULL;

    if (!name)
        return false;
    if (!here || strcmp(name, here) != 0)
        return error_set(err, ERROR_PROTOCOL,
                         "the peer says it is through with '%.*s', not with '%s'", SHOWN_MAX, name,
                         here ? here : "(nothing)");
    session->peer_station++;
    return true;
}

/* ---- clocks, and history ---- */

enum {
    BACKLOG_MAX = 4096 /* bytes: a peer that does not read is not told what can wait */
};

static void ping(struct session *session)
{
    const struct session_history *history = &session->history;
    cJSON *body, *progress = NULL;

    if (!history->compare || session->muted || stream_unsent(session->stream) >= BACKLOG_MAX)
        return;
    body = clocks_ask(&session->clocks);
    if (session->side == SIDE_SEND && history->tell_progress)
        progress = history->tell_progress(history->report);
    if (progress)
        cJSON_AddItemToObject(body, "progress", progress);
    (void)session_send(session, "ping", body, NULL);
}

static void hear_progress(const struct session_history *history, const cJSON *message)
{
    const cJSON *progress = json_get(message, "progress");

    if (history->hear_progress && cJSON_IsArray(progress))
        history->hear_progress(history->report, progress);
}

static void add_carried(const struct session *session, cJSON *body)
{
    if (session->lanes.carried)
        cJSON_AddItemToObject(body, "progress", session->lanes.carried(session->lanes.arg));
}

static void hear_ping(struct session *session, const cJSON *message)
{
    cJSON *body;

    hear_progress(&session->history, message);
    if (session->muted || stream_unsent(session->stream) >= BACKLOG_MAX)
        return;
    body = clocks_answer(message);
    add_carried(session, body);
    (void)session_send(session, "pong", body, NULL);
}

static void hear_pong(struct session *session, const cJSON *message)
{
    struct session_clock clock;

    hear_progress(&session->history, message);
    if (!session->history.compare)
        return;
    if (clocks_take(&session->clocks, message, &clock))
        session->history.compare(session->history.arg, &clock);
    if (clocks_go_on(&session->clocks))
        ping(session);
}

/* Once: a second one would only cost. */
static void hear_history(struct session *session, const cJSON *message)
{
    void (*hear)(void *, const char *) = steal(session->history.hear);

    if (hear)
        hear(session->history.arg, json_string_or(message, "lines", ""));
}

/* How much the lanes have carried in the end. */
static void hear_goodbye(struct session *session, const cJSON *message)
{
    session->heard_goodbye = true;
    hear_progress(&session->history, message);
}

static void hear_limit(const struct session *session, const cJSON *message)
{
    if (session->lanes.limit)
        session->lanes.limit(session->lanes.arg, json_uint_or(message, "bytes_per_s", 0));
}

/* What needs nobody to wait for it. */
static bool is_aside(struct session *session, const char *type, const cJSON *message)
{
    if (!strcmp(type, "goodbye"))
        hear_goodbye(session, message);
    else if (!strcmp(type, "ping"))
        hear_ping(session, message);
    else if (!strcmp(type, "pong"))
        hear_pong(session, message);
    else if (!strcmp(type, "history"))
        hear_history(session, message);
    else if (!strcmp(type, "limit"))
        hear_limit(session, message);
    else
        return !strcmp(type, "alive");
    return true;
}

void session_share(struct session *session, struct session_history history)
{
    session->history = history;
    ping(session);
}

void session_carry(struct session *session, struct session_lanes lanes)
{
    session->lanes = lanes;
}

void session_limit(struct session *session, uint64_t bytes_per_s)
{
    cJSON *body = must(cJSON_CreateObject());

    json_add_uint(body, "bytes_per_s", bytes_per_s);
    if (session->muted)
        cJSON_Delete(body);
    else
        (void)session_send(session, "limit", body, NULL);
}

static void tell_history(struct session *session)
{
    AUTO_FREE char *lines = NULL;
    cJSON *body;

    if (session->history.tell)
        lines = session->history.tell(session->history.arg);
    if (!lines)
        return;
    body = json_new("lines", lines);
    (void)session_send(session, "history", body, NULL);
}

/* ---- what comes in ---- */

static void hear_abort(struct session *session, const cJSON *message)
{
    struct error why = { 0 };

    abort_reason(message, &why);
    if (why.kind == ERROR_REFUSED && !session->refusals)
        session->refusals = abort_refusals(message, &why);
    loop_interrupt(session->loop, &why);
}

/* One message, parsed, which was `size` bytes. Takes it. */
static bool receive(struct session *session, cJSON *taken, size_t size, struct error *err)
{
    AUTO_JSON cJSON *message = taken;
    const char *type = json_string(message, "type", err);

    if (!type)
        return error_prefix(err, "a message without a type");
    if (!permitted(session, type))
        return error_set(err, ERROR_PROTOCOL, "the peer said '%.*s', which is not permitted now",
                         SHOWN_MAX, type);
    idle_hear(&session->idle, type, message);
    if (is_aside(session, type, message))
        return true;
    if (!strcmp(type, "done") && !advance_peer(session, message, err))
        return false;
    if (!queue_has_room(&session->queue, size, err))
        return false;
    if (!strcmp(type, "abort") && !session->muted)
        hear_abort(session, message);
    queue_put(&session->queue, steal(message), size);
    return true;
}

/* The next whole message in the buffer. *message is NULL when there is none yet. */
static bool next_message(struct session *session, cJSON **message, size_t *used, struct error *err)
{
    size_t len;
    const uint8_t *bytes = stream_peek(session->stream, &len);

    if (!frame_parse(bytes, len, message, used, err))
        return false;
    stream_consume(session->stream, *used);
    return true;
}

/* Every whole message that is there. */
static bool receive_all(struct session *session, struct error *err)
{
    for (;;) {
        cJSON *message;
        size_t size;

        if (!next_message(session, &message, &size, err))
            return false;
        if (!message)
            return true;
        if (!receive(session, message, size, err))
            return false;
    }
}

static void on_change(void *arg)
{
    struct session *session = arg;
    struct error err = { 0 };

    session->heard_ms = loop_now_ms();
    session->overdue = false;
    if (session->lost)
        return;
    if (!receive_all(session, &err)) {
        lose(session, &err);
    } else if (stream_ended(session->stream, &err) && !session->heard_goodbye) {
        error_prefix(&err, "lost the connection to the peer");
        lose(session, &err);
    }
}

static void lose_silent_peer(struct session *session, uint64_t silence_ms)
{
    struct error why = { 0 };

    error_set(&why, ERROR_LOST, "lost the peer: it has been silent for %llu s",
              (unsigned long long)(silence_ms / 1000));
    lose(session, &why);
}

/* A receiver is not kept for ever. The sender is told, unless the copy waits for it, complete: then
 * it is as lost as one that is silent.
 */
static void end_idleness(struct session *session)
{
    struct error why = { 0 };

    idle_look(&session->idle, &session->lanes);
    if (session->side != SIDE_RECV || !idle_is_over(&session->idle, &session->timing, &why))
        return;
    idle_begin(&session->idle);
    if (session->muted)
        lose(session, &why);
    else
        loop_interrupt(session->loop, &why);
}

/* Timers run before what has come in is read, and we may have been busy, or stopped: a peer
 * is lost only when it has nothing to say either once we listen again.
 *
 * A link whose buffers are full takes no bytes, and a stopped peer reads none: then another
 * `alive` would only pile up.
 */
static void on_clock(uv_timer_t *timer)
{
    struct session *session = timer->data;
    uint64_t silence_ms = loop_now_ms() - session->heard_ms;

    if (session->said_goodbye || session->lost)
        return;
    if (silence_ms <= session->timing.lost_ms) {
        end_idleness(session);
        if (stream_unsent(session->stream) < BACKLOG_MAX)
            (void)session_send(session, "alive", NULL, NULL);
        ping(session);
    } else if (session->overdue) {
        lose_silent_peer(session, silence_ms);
    } else {
        session->overdue = true;
        uv_timer_start(timer, on_clock, 1, session->timing.alive_ms);
    }
}

static void on_clock_closed(uv_handle_t *handle)
{
    free(handle);
}

struct session *session_new(struct loop *loop, int in_fd, int out_fd, enum side side,
                            struct session_timing timing, struct error *err)
{
    struct stream *stream = stream_new(loop, in_fd, out_fd, 2 * SESSION_MESSAGE_MAX, err);
    struct session *session;

    if (!stream)
        return NULL;
    session = must(calloc(1, sizeof(*session)));
    session->loop = loop;
    session->stream = stream;
    session->side = side;
    session->timing = timing;
    session->heard_ms = loop_now_ms();
    idle_begin(&session->idle);
    session->clock = must(calloc(1, sizeof(*session->clock)));
    uv_timer_init(loop_uv(loop), session->clock);
    session->clock->data = session;
    uv_timer_start(session->clock, on_clock, timing.alive_ms, timing.alive_ms);
    stream_on_change(stream, on_change, session);
    return session;
}

void session_free(struct session *session)
{
    if (!session)
        return;
    queue_done(&session->queue);
    cJSON_Delete(session->refusals);
    uv_timer_stop(session->clock);
    uv_close((uv_handle_t *)session->clock, on_clock_closed);
    stream_free(session->stream);
    free(session);
}

void session_set_timing(struct session *session, struct session_timing timing)
{
    session->timing = timing;
    uv_timer_start(session->clock, on_clock, timing.alive_ms, timing.alive_ms);
}

void session_set_stations(struct session *session, const struct session_station *stations)
{
    session->stations = stations;
    session->peer_station = 0;
}

/* Takes `body`. */
static bool write_message(struct session *session, const char *type, cJSON *body, struct error *err)
{
    AUTO_JSON cJSON *message = body;
    AUTO_FREE uint8_t *bytes = NULL;
    size_t len;

    cJSON_AddStringToObject(message, "type", type);
    bytes = frame_print(message, &len, err);
    return bytes ? stream_write(session->stream, bytes, len, err)
                 : error_prefix(err, "cannot say '%s'", type);
}

bool session_send(struct session *session, const char *type, cJSON *body, struct error *err)
{
    AUTO_JSON cJSON *message = body ? body : must(cJSON_CreateObject());

    if (session->lost) {
        if (err)
            *err = session->why_lost;
        return false;
    }
    return write_message(session, type, steal(message), err);
}

static bool something_to_hear(void *arg)
{
    const struct session *session = arg;

    return session->queue.count > 0 || session->lost || session->heard_goodbye;
}

bool session_pending(const struct session *session)
{
    return session->queue.count > 0;
}

/* An `abort` that was not asked for is the peer's failure, in its own words. */
static cJSON *unexpected(const cJSON *message, const char *wanted, struct error *err)
{
    const char *type = json_string_or(message, "type", "");

    if (!strcmp(type, "abort"))
        abort_reason(message, err);
    else
        error_set(err, ERROR_PROTOCOL, "the peer said '%.*s' where '%s' was due", SHOWN_MAX, type,
                  wanted);
    return NULL;
}

/* The peer's next message, whatever it is; `wanted` is for the error. */
static cJSON *next_said(struct session *session, const char *wanted, uint64_t timeout_ms,
                        struct error *err)
{
    if (!loop_wait(session->loop, something_to_hear, session, timeout_ms, err)) {
        if (err && err->kind == ERROR_TIMEOUT)
            error_prefix(err, "waiting for the peer's '%s'", wanted);
        return NULL;
    }
    if (session->queue.count > 0)
        return queue_take(&session->queue);
    if (session->lost && err)
        *err = session->why_lost;
    else
        error_set(err, ERROR_LOST, "the peer said goodbye where '%s' was due", wanted);
    return NULL;
}

cJSON *session_expect_any(struct session *session, const char *const types[], uint64_t timeout_ms,
                          struct error *err)
{
    AUTO_JSON cJSON *message = next_said(session, types[0], timeout_ms, err);

    if (!message)
        return NULL;
    if (!is_one_of(json_string_or(message, "type", ""), types))
        return unexpected(message, types[0], err);
    return steal(message);
}

cJSON *session_skip_to(struct session *session, const char *type, uint64_t timeout_ms,
                       struct error *err)
{
    uint64_t deadline_ms = loop_now_ms() + timeout_ms;

    for (;;) {
        uint64_t now_ms = loop_now_ms();
        AUTO_JSON cJSON *message =
            next_said(session, type, deadline_ms > now_ms ? deadline_ms - now_ms : 1, err);

        if (!message || !strcmp(json_string_or(message, "type", ""), type))
            return steal(message);
    }
}

cJSON *session_expect(struct session *session, const char *type, uint64_t timeout_ms,
                      struct error *err)
{
    const char *const types[] = { type, NULL };

    return session_expect_any(session, types, timeout_ms, err);
}

bool session_done(struct session *session, const char *name, uint64_t timeout_ms, struct error *err)
{
    cJSON *body = must(cJSON_CreateObject());
    AUTO_JSON cJSON *answer = NULL;

    cJSON_AddStringToObject(body, "stage", name);
    if (!session_send(session, "done", body, err))
        return false;
    answer = session_expect(session, "done", timeout_ms, err);
    return answer != NULL;
}

void session_abort(struct session *session, const struct error *why)
{
    enum {
        PARTING_MS = 1000
    };
    cJSON *body = must(cJSON_CreateObject());

    session_mute(session);
    cJSON_AddStringToObject(body, "kind", error_kind_name(why->kind));
    cJSON_AddStringToObject(body, "text", why->text);
    if (why->refusals && why->refusals->child)
        cJSON_AddItemToObject(body, "refusals", cJSON_Duplicate(why->refusals, true));
    loop_clear_interruption(session->loop);
    /* A peer that breaks the rules is not heard any more, but hears which. */
    if (session->lost && session->why_lost.kind != ERROR_PROTOCOL)
        cJSON_Delete(body);
    else if (write_message(session, "abort", body, NULL))
        (void)stream_flush(session->stream, PARTING_MS, NULL);
}

const cJSON *session_refusals(const struct session *session)
{
    return session->refusals;
}

void session_mute(struct session *session)
{
    session->muted = true;
}

bool session_lost(const struct session *session)
{
    return session->lost || session->heard_goodbye;
}

void session_cut(struct session *session)
{
    struct error why = { 0 };

    error_set(&why, ERROR_LOST, "lost the connection to the peer (cut by --fault)");
    stream_shutdown(session->stream);
    lose(session, &why);
}

static bool parted(void *arg)
{
    const struct session *session = arg;

    return session->heard_goodbye || session->lost;
}

void session_goodbye(struct session *session)
{
    enum {
        PARTING_MS = 3000
    };

    cJSON *body = must(cJSON_CreateObject());

    session_mute(session);
    tell_history(session);
    add_carried(session, body);
    if (!session_send(session, "goodbye", body, NULL))
        return;
    session->said_goodbye = true;
    (void)stream_flush(session->stream, PARTING_MS, NULL);
    (void)loop_wait(session->loop, parted, session, PARTING_MS, NULL);
}

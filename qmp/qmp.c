/* The connection: calls, replies, events. */
#include "xmig/qmp.h"

#include <inttypes.h>
#include <sys/socket.h>

#include "qmp/connect.h"
#include "qmp/events.h"
#include "qmp/message.h"
#include "xmig/stream.h"

enum {
    LINE_MAX_BYTES = 16 * 1024 * 1024, /* an answer is one line */
    EVENT_MAX_BYTES = 16 * 1024,       /* of events many are kept */
};

struct qmp {
    struct loop *loop;
    struct stream *stream;
    char *path;
    pid_t peer_pid;
    size_t scanned; /* buffered bytes known to hold no line's end */
    bool greeted;
    bool offers_oob;
    bool oob; /* negotiated */
    uint64_t major, minor, micro;
    uint64_t last_id;
    uint64_t awaited; /* the id whose reply is being waited for; 0: none */
    struct qmp_message reply;
    struct qmp_events events;
    struct error broken; /* kind ERROR_NONE: it is fine */
    bool guarded;
    bool held; /* who lets the guest run is answered with a stop */
};

/* ---- what comes in; runs in callbacks ---- */

static void break_with(struct qmp *q, const struct error *why)
{
    if (q->broken.kind != ERROR_NONE)
        return;
    q->broken = *why;
    error_prefix(&q->broken, "QEMU at '%s'", q->path);
    if (q->guarded)
        loop_interrupt(q->loop, &q->broken);
}

static void take_greeting(struct qmp *q, const struct qmp_message *message)
{
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(message->body, "version");
    const cJSON *qemu = cJSON_GetObjectItemCaseSensitive(version, "qemu");
    const cJSON *capability;

    q->greeted = true;
    q->major = json_uint_or(qemu, "major", 0);
    q->minor = json_uint_or(qemu, "minor", 0);
    q->micro = json_uint_or(qemu, "micro", 0);
    cJSON_ArrayForEach (capability, cJSON_GetObjectItemCaseSensitive(message->body, "capabilities"))
        if (cJSON_IsString(capability) && !strcmp(capability->valuestring, "oob"))
            q->offers_oob = true;
}

/* A reply with an id that is not awaited belongs to a call that has timed out: drop it. */
static void take_reply(struct qmp *q, struct qmp_message *message)
{
    struct error err = { 0 };

    if (message->id == 0) {
        error_set(&err, ERROR_PROTOCOL, "it answered what was not asked: %s",
                  message->text ? message->text : "a reply without our id");
        break_with(q, &err);
    } else if (message->id == q->awaited) {
        q->awaited = 0;
        q->reply = *message;
        *message = (struct qmp_message){ .kind = QMP_NOTHING };
    }
}

static bool write_command(struct qmp *q, const char *verb, const char *command, cJSON *arguments,
                          struct error *err)
{
    AUTO_JSON cJSON *json = must(cJSON_CreateObject());
    AUTO_FREE char *line = NULL;

    cJSON_AddStringToObject(json, verb, command);
    json_add_uint(json, "id", ++q->last_id);
    if (arguments)
        cJSON_AddItemToObject(json, "arguments", arguments);
    line = json_print(json);
    return stream_write(q->stream, line, strlen(line), err) &&
           stream_write(q->stream, "\n", 1, err);
}

/* The reply to `stop` is not awaited, so take_reply() drops it. */
static void take_event(struct qmp *q, struct qmp_message *message)
{
    struct error err = { 0 };

    if (message->size > EVENT_MAX_BYTES) {
        error_set(&err, ERROR_PROTOCOL, "an event of more than %d bytes", EVENT_MAX_BYTES);
        break_with(q, &err);
        return;
    }
    if (q->held && !strcmp(message->text, "RESUME"))
        (void)write_command(q, "execute", "stop", NULL, NULL);
    qmp_events_add(&q->events, message->text, qmp_message_take_body(message), loop_now_ms());
}

static void take_message(struct qmp *q, struct qmp_message *message)
{
    switch (message->kind) {
    case QMP_NOTHING:
        break;
    case QMP_GREETING:
        take_greeting(q, message);
        break;
    case QMP_EVENT:
        take_event(q, message);
        break;
    case QMP_RETURN:
    case QMP_ERROR:
        take_reply(q, message);
        break;
    }
}

/* One line, if a whole one is there. */
static bool take_line(struct qmp *q)
{
    struct qmp_message message;
    struct error err = { 0 };
    size_t len;
    const uint8_t *bytes = stream_peek(q->stream, &len);
    const uint8_t *end =
        len > q->scanned ? memchr(bytes + q->scanned, '\n', len - q->scanned) : NULL;

    if (!end) {
        q->scanned = len;
        return false;
    }
    if (qmp_message_parse((const char *)bytes, (size_t)(end - bytes), &message, &err)) {
        take_message(q, &message);
        qmp_message_done(&message);
    } else {
        break_with(q, &err);
    }
    q->scanned = 0;
    stream_consume(q->stream, (size_t)(end - bytes) + 1);
    return true;
}

static void on_change(void *arg)
{
    struct qmp *q = arg;
    struct error err = { 0 };

    while (q->broken.kind == ERROR_NONE && take_line(q))
        ;
    if (q->scanned >= LINE_MAX_BYTES)
        error_set(&err, ERROR_PROTOCOL, "a line of more than %d bytes", LINE_MAX_BYTES);
    else
        stream_ended(q->stream, &err);
    if (err.kind != ERROR_NONE)
        break_with(q, &err);
}

/* ---- calls ---- */

static bool is_answered(void *arg)
{
    const struct qmp *q = arg;

    return q->awaited == 0 || q->broken.kind != ERROR_NONE;
}

static bool send_command(struct qmp *q, const char *verb, const char *command, cJSON *arguments,
                         struct error *err)
{
    qmp_message_done(&q->reply);
    q->awaited = q->last_id + 1;
    return write_command(q, verb, command, arguments, err);
}

/* Turn the end of the wait into a result: the loss of QEMU, its error, or its reply. */
static bool take_result(struct qmp *q, const char *command, cJSON **result, struct error *err)
{
    if (q->awaited != 0) { /* not answered: it is gone */
        *err = q->broken;
        return false;
    }
    if (q->reply.kind == QMP_ERROR)
        return error_set(err, ERROR_SYSTEM, "QEMU refused %s: %s", command, q->reply.text);
    if (result)
        *result = qmp_message_take_body(&q->reply);
    return true;
}

static bool call(struct qmp *q, const char *verb, const char *command, cJSON *arguments,
                 cJSON **result, uint64_t timeout_ms, struct error *err)
{
    struct error why = { 0 };
    bool ok = false;

    if (qmp_lost(q, &why))
        cJSON_Delete(arguments);
    else
        ok = send_command(q, verb, command, arguments, &why) &&
             loop_wait(q->loop, is_answered, q, timeout_ms, &why) &&
             take_result(q, command, result, &why);
    q->awaited = 0;
    qmp_message_done(&q->reply);
    if (why.kind == ERROR_TIMEOUT)
        error_set(&why, ERROR_TIMEOUT, "QEMU at '%s' did not answer %s within %" PRIu64 " s",
                  q->path, command, timeout_ms / 1000);
    if (!ok && err)
        *err = why;
    return ok;
}

/* ---- connecting ---- */

static bool is_greeted(void *arg)
{
    const struct qmp *q = arg;

    return q->greeted || q->broken.kind != ERROR_NONE;
}

static bool await_greeting(struct qmp *q, uint64_t timeout_ms, struct error *err)
{
    if (!loop_wait(q->loop, is_greeted, q, timeout_ms, err)) {
        if (err && err->kind == ERROR_TIMEOUT)
            error_set(err, ERROR_TIMEOUT,
                      "'%s' does not answer: another program is probably connected to it, and "
                      "QEMU serves one at a time",
                      q->path);
        return false;
    }
    return q->greeted || !qmp_lost(q, err);
}

static bool negotiate(struct qmp *q, struct error *err)
{
    const char *const oob[] = { "oob" };
    cJSON *arguments = NULL;

    if (q->offers_oob) {
        arguments = must(cJSON_CreateObject());
        cJSON_AddItemToObject(arguments, "enable", cJSON_CreateStringArray(oob, 1));
    }
    if (!qmp_call(q, "qmp_capabilities", arguments, NULL, err))
        return false;
    q->oob = q->offers_oob;
    return true;
}

static void read_peer(struct qmp *q, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
        q->peer_pid = cred.pid;
}

struct qmp *qmp_connect(struct loop *loop, const char *path, uint64_t timeout_ms, struct error *err)
{
    int fd = qmp_connect_socket(loop, path, timeout_ms, err);
    struct qmp *q;

    if (fd < 0)
        return NULL;
    q = must(calloc(1, sizeof(*q)));
    q->loop = loop;
    q->path = must(strdup(path));
    read_peer(q, fd);
    q->stream = stream_new(loop, fd, fd, LINE_MAX_BYTES, err);
    if (q->stream) {
        stream_on_change(q->stream, on_change, q);
        if (await_greeting(q, timeout_ms, err) && negotiate(q, err))
            return q;
    }
    qmp_free(q);
    return NULL;
}

void qmp_free(struct qmp *q)
{
    if (!q)
        return;
    stream_free(q->stream);
    qmp_message_done(&q->reply);
    qmp_events_done(&q->events);
    free(q->path);
    free(q);
}

struct loop *qmp_loop(const struct qmp *q)
{
    return q->loop;
}

pid_t qmp_peer_pid(const struct qmp *q)
{
    return q->peer_pid;
}

bool qmp_is_at_least(const struct qmp *q, unsigned major, unsigned minor)
{
    return q->major > major || (q->major == major && q->minor >= minor);
}

void qmp_version(const struct qmp *q, unsigned *major, unsigned *minor, unsigned *micro)
{
    *major = (unsigned)q->major;
    *minor = (unsigned)q->minor;
    *micro = (unsigned)q->micro;
}

void qmp_guard(struct qmp *q, bool on)
{
    q->guarded = on;
    if (on && q->broken.kind != ERROR_NONE)
        loop_interrupt(q->loop, &q->broken);
}

void qmp_hold(struct qmp *q, bool on)
{
    q->held = on;
}

size_t qmp_run_events(const struct qmp *q)
{
    return q->events.run_count;
}

bool qmp_has_told(const struct qmp *q, size_t mark, const char *name)
{
    return qmp_events_find(&q->events, &mark, name, NULL, NULL) != NULL;
}

const cJSON *qmp_find_event(const struct qmp *q, size_t *mark, const char *name,
                            bool (*match)(const cJSON *data, const void *arg), const void *arg)
{
    return qmp_events_find(&q->events, mark, name, match, arg);
}

bool qmp_lost(const struct qmp *q, struct error *err)
{
    if (q->broken.kind != ERROR_NONE && err)
        *err = q->broken;
    return q->broken.kind != ERROR_NONE;
}

bool qmp_call(struct qmp *q, const char *command, cJSON *arguments, cJSON **result,
              struct error *err)
{
    return qmp_call_within(q, command, arguments, result, QMP_DEADLINE_MS, err);
}

bool qmp_call_within(struct qmp *q, const char *command, cJSON *arguments, cJSON **result,
                     uint64_t timeout_ms, struct error *err)
{
    return call(q, "execute", command, arguments, result, timeout_ms, err);
}

bool qmp_exec_oob(struct qmp *q, const char *command, cJSON *arguments, cJSON **result,
                  uint64_t timeout_ms, struct error *err)
{
    if (q->oob)
        return call(q, "exec-oob", command, arguments, result, timeout_ms, err);
    cJSON_Delete(arguments);
    return error_set(err, ERROR_REFUSED, "this QEMU takes no commands out of band");
}

size_t qmp_mark(const struct qmp *q)
{
    return q->events.count;
}

struct event_wait {
    struct qmp *q;
    size_t *mark;
    const char *name;
    bool (*match)(const cJSON *data, const void *arg);
    const void *arg;
    const cJSON *found;
};

static bool has_event(void *arg)
{
    struct event_wait *wait = arg;

    wait->found = qmp_events_find(&wait->q->events, wait->mark, wait->name, wait->match, wait->arg);
    return wait->found || wait->q->broken.kind != ERROR_NONE;
}

const cJSON *qmp_wait_event(struct qmp *q, size_t *mark, const char *name,
                            bool (*match)(const cJSON *data, const void *arg), const void *arg,
                            uint64_t timeout_ms, struct error *err)
{
    struct event_wait wait = { q, mark, name, match, arg, NULL };

    if (!loop_wait(q->loop, has_event, &wait, timeout_ms, err)) {
        if (err && err->kind == ERROR_TIMEOUT)
            error_prefix(err, "QEMU's event %s", name);
        return NULL;
    }
    if (!wait.found)
        qmp_lost(q, err);
    return wait.found;
}

uint64_t qmp_last_event_ms(const struct qmp *q, const char *name)
{
    return qmp_events_last_ms(&q->events, name);
}

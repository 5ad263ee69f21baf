/* The control connection. The peer here is a bare socket that speaks bytes, so that it can
 * also say what no session would; minutes pass at a test's word.
 */
#include "xmig/session.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cmocka.h>

#include "tests/unit/clock.h"
#include "xmig/cleanup.h"

enum {
    SOON_MS = 20 * 1000,
    ALIVE_MS = 5000,
    LOST_MS = 20000
};

static const struct session_timing timing = { ALIVE_MS, LOST_MS };

static const struct message_rule first_rules[] = {
    { "params", SIDE_SEND },
    { "listening", SIDE_RECV },
    { NULL, SIDE_SEND },
};
static const struct message_rule second_rules[] = { { "ready", SIDE_RECV }, { NULL, SIDE_SEND } };
static const struct session_station stations[] = {
    { "first", first_rules },
    { "second", second_rules },
    { "third", NULL },
    { NULL, NULL },
};

/* A sender's session, and the receiver's end of its connection. */
struct scene {
    struct loop *loop;
    struct session *session;
    int peer;
};

static struct scene begin(void)
{
    const struct timeval limit = { .tv_sec = SOON_MS / 1000 };
    struct scene scene = { .loop = loop_new() };
    struct error err = { 0 };
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    scene.peer = fds[1];
    scene.session = session_new(scene.loop, fds[0], fds[0], SIDE_SEND, timing, &err);
    assert_string_equal(err.text, "");
    return scene;
}

static struct scene begin_with_stations(void)
{
    struct scene scene = begin();

    session_set_stations(scene.session, stations);
    return scene;
}

static void peer_closes(struct scene *scene)
{
    cleanup_close(&scene->peer);
    scene->peer = -1;
}

static void end(struct scene *scene)
{
    session_free(scene->session);
    loop_free(scene->loop);
    peer_closes(scene);
}

/* ---- the peer ---- */

static void peer_sends(struct scene *scene, const void *bytes, size_t len)
{
    assert_int_equal(send(scene->peer, bytes, len, 0), len);
}

static void put_frame(char *frame, const char *json)
{
    size_t len = strlen(json);

    for (int i = 0; i < 4; i++)
        frame[i] = (char)(len >> (24 - 8 * i));
    memcpy(frame + 4, json, len);
}

static void peer_says(struct scene *scene, const char *json)
{
    AUTO_FREE char *frame = must(malloc(4 + strlen(json)));

    put_frame(frame, json);
    peer_sends(scene, frame, 4 + strlen(json));
}

/* The next message that has come to the peer. The caller frees it. */
static char *peer_hears(struct scene *scene)
{
    uint8_t size[4];
    size_t len;
    char *json;

    assert_int_equal(recv(scene->peer, size, 4, MSG_WAITALL), 4);
    len = (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | size[3];
    json = must(calloc(1, len + 1));
    assert_int_equal(recv(scene->peer, json, len, MSG_WAITALL), len);
    return json;
}

static void assert_peer_hears(struct scene *scene, const char *wanted)
{
    AUTO_FREE char *json = peer_hears(scene);

    assert_string_equal(json, wanted);
}

static void assert_peer_hears_nothing(struct scene *scene)
{
    char byte;

    assert_int_equal(recv(scene->peer, &byte, 1, MSG_DONTWAIT), -1);
}

/* ---- what happens to us ---- */

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static bool is_lost(void *arg)
{
    return session_lost(arg);
}

/* What has come in is taken in; true: nothing has interrupted us. */
static bool turn(struct scene *scene, struct error *err)
{
    return loop_pause(scene->loop, 1, err);
}

static struct error interruption(struct scene *scene)
{
    struct error err = { 0 };

    assert_false(loop_wait(scene->loop, never, NULL, SOON_MS, &err));
    assert_true(loop_interrupted(scene->loop));
    return err;
}

static void assert_interrupted(struct scene *scene, enum error_kind kind, const char *text)
{
    struct error err = interruption(scene);

    assert_int_equal(err.kind, kind);
    assert_string_equal(err.text, text);
}

static void assert_breaks_off(struct scene *scene, const char *text)
{
    assert_interrupted(scene, ERROR_PROTOCOL, text);
    assert_true(session_lost(scene->session));
}

static cJSON *expect(struct scene *scene, const char *type)
{
    struct error err = { 0 };
    cJSON *message = session_expect(scene->session, type, SOON_MS, &err);

    if (!message)
        fail_msg("%s", err.text);
    return message;
}

static void assert_heard(struct scene *scene, const char *type)
{
    cJSON_Delete(expect(scene, type));
}

static void assert_not_heard(struct scene *scene, const char *type, enum error_kind kind,
                             const char *text)
{
    struct error err = { 0 };

    assert_null(session_expect(scene->session, type, SOON_MS, &err));
    assert_int_equal(err.kind, kind);
    assert_string_equal(err.text, text);
}

/* ---- messages ---- */

static void says_a_message_as_its_length_and_an_object(void **unused)
{
    static const char wanted[] = "\0\0\0\x1d{\"protocol\":1,\"type\":\"hello\"}";
    struct scene scene = begin();
    cJSON *body = must(cJSON_CreateObject());
    char heard[64];
    (void)unused;

    json_add_uint(body, "protocol", 1);
    assert_true(session_send(scene.session, "hello", body, NULL));
    assert_true(turn(&scene, NULL));
    assert_int_equal(recv(scene.peer, heard, sizeof(heard), 0), sizeof(wanted) - 1);
    assert_memory_equal(heard, wanted, sizeof(wanted) - 1);
    end(&scene);
}

static void says_a_message_without_members(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    assert_true(session_send(scene.session, "go", NULL, NULL));
    assert_true(turn(&scene, NULL));
    assert_peer_hears(&scene, "{\"type\":\"go\"}");
    end(&scene);
}

static void hears_a_message_with_its_members_and_members_it_does_not_know(void **unused)
{
    struct scene scene = begin();
    AUTO_JSON cJSON *message = NULL;
    (void)unused;

    peer_says(&scene, "{\"protocol\":1,\"future\":[{}],\"type\":\"hello\"}");
    message = expect(&scene, "hello");
    assert_string_equal(json_string_or(message, "type", ""), "hello");
    assert_int_equal(json_uint_or(message, "protocol", 0), 1);
    end(&scene);
}

static void hears_messages_in_their_order_though_they_come_at_once(void **unused)
{
    struct scene scene = begin();
    char frames[128];
    (void)unused;

    put_frame(frames, "{\"type\":\"hello\"}");
    put_frame(frames + 20, "{\"type\":\"checked\"}");
    peer_sends(&scene, frames, 20 + 22);
    assert_heard(&scene, "hello");
    assert_true(session_pending(scene.session));
    assert_heard(&scene, "checked");
    assert_false(session_pending(scene.session));
    end(&scene);
}

static void hears_a_message_that_comes_byte_by_byte(void **unused)
{
    struct scene scene = begin();
    char frame[20];
    (void)unused;

    put_frame(frame, "{\"type\":\"hello\"}");
    for (size_t i = 0; i < sizeof(frame); i++) {
        assert_false(session_pending(scene.session));
        peer_sends(&scene, frame + i, 1);
        uv_run(loop_uv(scene.loop), UV_RUN_NOWAIT);
    }
    assert_heard(&scene, "hello");
    end(&scene);
}

static void talks_over_a_pair_of_pipes(void **unused)
{
    struct loop *loop = loop_new();
    struct session *session;
    int in[2], out[2];
    char frame[20];
    AUTO_JSON cJSON *message = NULL;
    (void)unused;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    session = session_new(loop, in[0], out[1], SIDE_RECV, timing, NULL);
    put_frame(frame, "{\"type\":\"hello\"}");
    assert_int_equal(write(in[1], frame, 20), 20);
    message = session_expect(session, "hello", SOON_MS, NULL);
    assert_non_null(message);
    assert_true(session_send(session, "hello", NULL, NULL));
    assert_int_equal(read(out[0], frame, 20), 20);
    session_free(session);
    loop_free(loop);
    close(in[1]);
    close(out[0]);
}

static void takes_its_descriptors_also_when_it_fails(void **unused)
{
    struct loop *loop = loop_new();
    struct error err = { 0 };
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)unused;

    assert_null(session_new(loop, fd, fd, SIDE_RECV, timing, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    session_free(NULL);
    loop_free(loop);
}

/* ---- what is expected ---- */

static void says_what_came_instead_of_what_was_due(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_says(&scene, "{\"type\":\"checked\"}");
    assert_not_heard(&scene, "hello", ERROR_PROTOCOL,
                     "the peer said 'checked' where 'hello' was due");
    end(&scene);
}

static void hears_one_of_several(void **unused)
{
    const char *const types[] = { "hello", "verdict", NULL };
    struct scene scene = begin();
    AUTO_JSON cJSON *message = NULL;
    struct error err = { 0 };
    (void)unused;

    peer_says(&scene, "{\"type\":\"verdict\"}");
    peer_says(&scene, "{\"type\":\"settled\"}");
    message = session_expect_any(scene.session, types, SOON_MS, &err);
    assert_string_equal(json_string_or(message, "type", ""), "verdict");
    assert_null(session_expect_any(scene.session, types, SOON_MS, &err));
    assert_string_equal(err.text, "the peer said 'settled' where 'hello' was due");
    end(&scene);
}

static void says_what_it_has_waited_for_in_vain(void **unused)
{
    struct scene scene = begin();
    struct error err = { 0 };
    (void)unused;

    assert_null(session_expect(scene.session, "hello", 1, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    assert_memory_equal(err.text, "waiting for the peer's 'hello': nothing came", 44);
    end(&scene);
}

/* ---- what may be said when ---- */

static void permits_a_stages_messages_from_the_side_that_says_them(void **unused)
{
    struct scene scene = begin_with_stations();
    (void)unused;

    peer_says(&scene, "{\"type\":\"listening\"}");
    assert_heard(&scene, "listening");
    peer_says(&scene, "{\"type\":\"params\"}");
    assert_breaks_off(&scene, "the peer said 'params', which is not permitted now");
    end(&scene);
}

static void permits_no_stages_messages_before_there_are_stages(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_says(&scene, "{\"type\":\"listening\"}");
    assert_breaks_off(&scene, "the peer said 'listening', which is not permitted now");
    end(&scene);
}

static void permits_no_later_stages_messages(void **unused)
{
    struct scene scene = begin_with_stations();
    (void)unused;

    peer_says(&scene, "{\"type\":\"ready\"}");
    assert_breaks_off(&scene, "the peer said 'ready', which is not permitted now");
    end(&scene);
}

static void permits_no_earlier_stages_messages(void **unused)
{
    struct scene scene = begin_with_stations();
    (void)unused;

    peer_says(&scene, "{\"type\":\"done\",\"stage\":\"first\"}");
    assert_heard(&scene, "done");
    peer_says(&scene, "{\"type\":\"listening\"}");
    assert_breaks_off(&scene, "the peer said 'listening', which is not permitted now");
    end(&scene);
}

/* It is through, and we are not: its words wait for us. */
static void lets_the_peer_be_ahead(void **unused)
{
    struct scene scene = begin_with_stations();
    (void)unused;

    peer_says(&scene, "{\"type\":\"listening\"}");
    peer_says(&scene, "{\"type\":\"done\",\"stage\":\"first\"}");
    peer_says(&scene, "{\"type\":\"ready\"}");
    assert_true(turn(&scene, NULL));
    assert_heard(&scene, "listening");
    assert_heard(&scene, "done");
    assert_heard(&scene, "ready");
    end(&scene);
}

static void permits_what_is_permitted_always(void **unused)
{
    const char *const types[] = { "hello", "checked", "verdict", "settled" };
    struct scene scene = begin_with_stations();
    (void)unused;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char json[64];

        snprintf(json, sizeof(json), "{\"type\":\"%s\"}", types[i]);
        peer_says(&scene, json);
        assert_heard(&scene, types[i]);
    }
    end(&scene);
}

static void breaks_off_at_a_message_it_does_not_know(void **unused)
{
    struct scene scene = begin_with_stations();
    struct error err = { 0 };
    (void)unused;

    peer_says(&scene, "{\"type\":\"self-destruct\"}");
    assert_breaks_off(&scene, "the peer said 'self-destruct', which is not permitted now");
    assert_false(session_send(scene.session, "alive", NULL, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    end(&scene);
}

static void says_that_it_is_through_and_hears_it(void **unused)
{
    struct scene scene = begin_with_stations();
    (void)unused;

    peer_says(&scene, "{\"type\":\"done\",\"stage\":\"first\"}");
    assert_true(session_done(scene.session, "first", SOON_MS, NULL));
    assert_peer_hears(&scene, "{\"stage\":\"first\",\"type\":\"done\"}");
    peer_says(&scene, "{\"type\":\"done\",\"stage\":\"second\"}");
    peer_says(&scene, "{\"type\":\"done\",\"stage\":\"third\"}");
    assert_true(session_done(scene.session, "second", SOON_MS, NULL));
    assert_true(session_done(scene.session, "third", SOON_MS, NULL));
    end(&scene);
}

static void a_peer_may_not_skip_a_stage(void **unused)
{
    struct scene scene = begin_with_stations();
    (void)unused;

    peer_says(&scene, "{\"type\":\"done\",\"stage\":\"second\"}");
    assert_breaks_off(&scene, "the peer says it is through with 'second', not with 'first'");
    end(&scene);
}

static void a_peer_may_not_be_through_with_more_than_there_is(void **unused)
{
    struct scene scene = begin_with_stations();
    const char *const names[] = { "first", "second", "third", "third" };
    (void)unused;

    for (size_t i = 0; i < 4; i++) {
        char json[64];

        snprintf(json, sizeof(json), "{\"type\":\"done\",\"stage\":\"%s\"}", names[i]);
        peer_says(&scene, json);
    }
    assert_breaks_off(&scene, "the peer says it is through with 'third', not with '(nothing)'");
    end(&scene);
}

static void a_peer_must_say_what_it_is_through_with(void **unused)
{
    struct scene scene = begin_with_stations();
    (void)unused;

    peer_says(&scene, "{\"type\":\"done\"}");
    assert_breaks_off(&scene, "'stage' is missing");
    end(&scene);
}

static void a_peer_may_not_say_more_than_anybody_waits_for(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    for (int i = 0; i < 65; i++)
        peer_says(&scene, "{\"type\":\"settled\"}");
    assert_breaks_off(&scene, "the peer says more than anybody waits for");
    end(&scene);
}

/* ---- strangers ---- */

static void knows_a_login_banner_from_a_peer(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_sends(&scene, "Welcome to vm-host-7!\r\n", 23);
    assert_breaks_off(&scene, "the peer does not speak xmig's protocol: it said 'Welcome to "
                              "vm-host-7!'");
    end(&scene);
}

static void knows_a_message_that_is_too_long_at_its_first_bytes(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_sends(&scene, "\0\x10\0\x01", 4);
    assert_breaks_off(&scene,
                      "the peer does not speak xmig's protocol (a message of 1048577 bytes)");
    end(&scene);
}

static void breaks_off_at_a_message_without_a_type(void **unused)
{
    const struct {
        const char *json, *text;
    } cases[] = {
        { "{}", "a message without a type: 'type' is missing" },
        { "{\"type\":7}", "a message without a type: 'type' is not a string" },
        { "[]", "a message of the peer's: JSON, but not an object" },
        { "{\"type\":", "a message of the peer's: not JSON: '{\"type\":'" },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene scene = begin();

        peer_says(&scene, cases[i].json);
        assert_breaks_off(&scene, cases[i].text);
        end(&scene);
    }
}

/* Neither is it sent, nor is the session broken by it. */
static void says_nothing_that_is_too_long(void **unused)
{
    struct scene scene = begin();
    cJSON *body = must(cJSON_CreateObject());
    AUTO_FREE char *much = must(calloc(1, SESSION_MESSAGE_MAX + 1));
    struct error err = { 0 };
    (void)unused;

    memset(much, 'x', SESSION_MESSAGE_MAX);
    cJSON_AddStringToObject(body, "much", much);
    assert_false(session_send(scene.session, "params", body, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    assert_memory_equal(err.text, "cannot say 'params': ", 21);
    assert_true(session_send(scene.session, "go", NULL, NULL));
    assert_true(turn(&scene, NULL));
    assert_peer_hears(&scene, "{\"type\":\"go\"}");
    end(&scene);
}

/* ---- the peer gives up ---- */

static void an_abort_interrupts_with_the_peers_own_words(void **unused)
{
    const struct {
        const char *json;
        enum error_kind kind;
        const char *text;
    } cases[] = {
        { "{\"type\":\"abort\",\"kind\":\"refused\",\"text\":\"no room\"}", ERROR_REFUSED,
          "no room" },
        { "{\"type\":\"abort\",\"kind\":\"cancelled\",\"text\":\"Ctrl-C\"}", ERROR_CANCELLED,
          "Ctrl-C" },
        { "{\"type\":\"abort\",\"kind\":\"system\",\"text\":\"its disk\"}", ERROR_PEER,
          "its disk" },
        { "{\"type\":\"abort\",\"kind\":\"crash\",\"text\":\"?\"}", ERROR_PEER, "?" },
        { "{\"type\":\"abort\",\"kind\":\"from the future\",\"text\":\"?\"}", ERROR_PEER, "?" },
        { "{\"type\":\"abort\"}", ERROR_PEER, "the peer gave no reason" },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene scene = begin();

        peer_says(&scene, cases[i].json);
        assert_interrupted(&scene, cases[i].kind, cases[i].text);
        assert_not_heard(&scene, "hello", cases[i].kind, cases[i].text);
        end(&scene);
    }
}

static void what_came_before_an_abort_is_heard_before_it(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_says(&scene, "{\"type\":\"hello\"}");
    peer_says(&scene, "{\"type\":\"abort\",\"kind\":\"refused\",\"text\":\"no\"}");
    assert_false(turn(&scene, NULL));
    assert_heard(&scene, "hello");
    assert_not_heard(&scene, "checked", ERROR_REFUSED, "no");
    end(&scene);
}

static void says_why_it_gives_up_and_listens_no_more(void **unused)
{
    const struct error why = { .kind = ERROR_TIMEOUT, .text = "the mirrors stand still" };
    struct scene scene = begin();
    struct error ctrl_c = { .kind = ERROR_CANCELLED, .text = "Ctrl-C" };
    (void)unused;

    loop_interrupt(scene.loop, &ctrl_c);
    session_abort(scene.session, &why);
    assert_peer_hears(&scene, "{\"kind\":\"timeout\",\"text\":\"the mirrors stand still\","
                              "\"type\":\"abort\"}");
    assert_false(loop_interrupted(scene.loop));
    peer_closes(&scene);
    assert_true(turn(&scene, NULL));
    end(&scene);
}

/* ---- the connection breaks ---- */

static void a_lost_connection_interrupts(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_closes(&scene);
    assert_interrupted(&scene, ERROR_LOST,
                       "lost the connection to the peer: the connection was closed");
    assert_true(session_lost(scene.session));
    assert_not_heard(&scene, "hello", ERROR_LOST,
                     "lost the connection to the peer: the connection was closed");
    end(&scene);
}

static void the_peers_last_words_beat_the_loss_of_its_connection(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_says(&scene, "{\"type\":\"verdict\",\"state\":\"running\"}");
    peer_closes(&scene);
    assert_false(turn(&scene, NULL));
    assert_heard(&scene, "verdict");
    end(&scene);
}

/* We notice that it has gone when we speak, before we have read what it left us. */
static void the_reason_of_a_peer_that_has_gone_is_heard_though_we_spoke(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_says(&scene, "{\"type\":\"abort\",\"kind\":\"refused\",\"text\":\"no room\"}");
    peer_closes(&scene);
    (void)session_send(scene.session, "checked", NULL, NULL);
    assert_interrupted(&scene, ERROR_REFUSED, "no room");
    assert_not_heard(&scene, "checked", ERROR_REFUSED, "no room");
    end(&scene);
}

static void a_cut_is_a_loss_at_both_ends(void **unused)
{
    struct scene scene = begin();
    char byte;
    (void)unused;

    session_cut(scene.session);
    assert_interrupted(&scene, ERROR_LOST, "lost the connection to the peer (cut by --fault)");
    assert_int_equal(recv(scene.peer, &byte, 1, 0), 0);
    end(&scene);
}

static void may_be_freed_with_words_that_nobody_took(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_says(&scene, "{\"type\":\"hello\"}");
    peer_says(&scene, "{\"type\":\"checked\"}");
    assert_true(turn(&scene, NULL));
    assert_true(session_pending(scene.session));
    end(&scene);
}

/* ---- muted ---- */

static void once_muted_a_loss_is_only_told_to_who_asks(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    session_mute(scene.session);
    peer_closes(&scene);
    assert_true(loop_wait(scene.loop, is_lost, scene.session, SOON_MS, NULL));
    assert_false(loop_interrupted(scene.loop));
    assert_not_heard(&scene, "verdict", ERROR_LOST,
                     "lost the connection to the peer: the connection was closed");
    end(&scene);
}

static void once_muted_an_abort_is_a_message_like_any_other(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    session_mute(scene.session);
    peer_says(&scene, "{\"type\":\"abort\",\"kind\":\"system\",\"text\":\"its disk\"}");
    peer_says(&scene, "{\"type\":\"verdict\"}");
    assert_true(turn(&scene, NULL));
    assert_true(session_pending(scene.session));
    assert_not_heard(&scene, "verdict", ERROR_PEER, "its disk");
    assert_heard(&scene, "verdict");
    end(&scene);
}

/* ---- goodbye ---- */

static void parts_when_both_have_said_goodbye(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_says(&scene, "{\"type\":\"goodbye\"}");
    session_goodbye(scene.session);
    assert_peer_hears(&scene, "{\"type\":\"goodbye\"}");
    assert_true(session_lost(scene.session));
    peer_closes(&scene);
    assert_true(turn(&scene, NULL));
    end(&scene);
}

static void a_connection_that_ends_after_goodbye_is_not_lost(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_says(&scene, "{\"type\":\"goodbye\"}");
    peer_closes(&scene);
    assert_true(loop_wait(scene.loop, is_lost, scene.session, SOON_MS, NULL));
    assert_false(loop_interrupted(scene.loop));
    session_goodbye(scene.session);
    end(&scene);
}

static void a_goodbye_where_something_was_due_is_an_error(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_says(&scene, "{\"type\":\"goodbye\"}");
    assert_not_heard(&scene, "checked", ERROR_LOST,
                     "the peer said goodbye where 'checked' was due");
    end(&scene);
}

static void what_came_before_a_goodbye_is_heard(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_says(&scene, "{\"type\":\"verdict\"}");
    peer_says(&scene, "{\"type\":\"goodbye\"}");
    assert_true(turn(&scene, NULL));
    assert_heard(&scene, "verdict");
    end(&scene);
}

static void let_time_fly(uv_timer_t *timer)
{
    (void)timer;
    time_passes(1000);
}

/* Seconds fly here, for the real ones would be lost. */
static void does_not_wait_for_ever_for_the_peers_goodbye(void **unused)
{
    struct scene scene = begin();
    uv_timer_t hurry;
    uint64_t begun_ms = loop_now_ms();
    (void)unused;

    uv_timer_init(loop_uv(scene.loop), &hurry);
    uv_timer_start(&hurry, let_time_fly, 1, 1);
    session_goodbye(scene.session);
    assert_in_range(loop_now_ms() - begun_ms, 3000, 10000);
    assert_false(loop_interrupted(scene.loop));
    assert_peer_hears(&scene, "{\"type\":\"goodbye\"}");
    end(&scene);
}

static void says_nothing_after_goodbye(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_says(&scene, "{\"type\":\"goodbye\"}");
    session_goodbye(scene.session);
    assert_peer_hears(&scene, "{\"type\":\"goodbye\"}");
    time_passes(ALIVE_MS);
    assert_true(turn(&scene, NULL));
    assert_peer_hears_nothing(&scene);
    end(&scene);
}

/* ---- keep-alive ---- */

static void says_now_and_then_that_it_is_alive(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    time_passes(ALIVE_MS - 1000);
    assert_true(turn(&scene, NULL));
    assert_peer_hears_nothing(&scene);
    time_passes(1000);
    assert_true(turn(&scene, NULL));
    assert_peer_hears(&scene, "{\"type\":\"alive\"}");
    assert_peer_hears_nothing(&scene);
    time_passes(ALIVE_MS);
    assert_true(turn(&scene, NULL));
    assert_peer_hears(&scene, "{\"type\":\"alive\"}");
    end(&scene);
}

static void a_peer_that_says_it_is_alive_is_not_lost(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    for (int i = 0; i < 20; i++) {
        peer_says(&scene, "{\"type\":\"alive\"}");
        assert_true(turn(&scene, NULL));
        time_passes(ALIVE_MS);
    }
    assert_false(session_pending(scene.session));
    end(&scene);
}

static void a_silent_peer_is_lost(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    time_passes(LOST_MS - 1000);
    assert_true(turn(&scene, NULL));
    time_passes(ALIVE_MS);
    assert_interrupted(&scene, ERROR_LOST, "lost the peer: it has been silent for 24 s");
    assert_true(session_lost(scene.session));
    end(&scene);
}

/* A part of a long message, over a slow link, tells that it lives. */
static void a_peer_that_says_anything_at_all_is_not_lost(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    peer_sends(&scene, "\0\0\0\x20", 4);
    for (int i = 0; i < 20; i++) {
        peer_sends(&scene, " ", 1);
        assert_true(turn(&scene, NULL));
        time_passes(ALIVE_MS);
    }
    end(&scene);
}

/* We were busy, or stopped; what it said meanwhile waits to be read. */
static void our_own_silence_is_not_taken_for_the_peers(void **unused)
{
    struct scene scene = begin();
    struct error err = { 0 };
    (void)unused;

    for (int i = 0; i < 3; i++) {
        peer_says(&scene, "{\"type\":\"alive\"}");
        time_passes(3 * LOST_MS);
        assert_true(loop_pause(scene.loop, 10, &err));
        assert_false(session_lost(scene.session));
    }
    time_passes(LOST_MS + ALIVE_MS);
    assert_memory_equal(interruption(&scene).text, "lost the peer: it has been silent", 33);
    end(&scene);
}

static void takes_a_new_timing(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    session_set_timing(scene.session, (struct session_timing){ 1000, 2000 });
    time_passes(1000);
    assert_true(turn(&scene, NULL));
    assert_peer_hears(&scene, "{\"type\":\"alive\"}");
    time_passes(2000);
    assert_interrupted(&scene, ERROR_LOST, "lost the peer: it has been silent for 3 s");
    end(&scene);
}

static void peer_goes_on_living(struct scene *scene)
{
    peer_says(scene, "{\"type\":\"alive\"}");
    time_passes(ALIVE_MS);
    assert_true(turn(scene, NULL));
}

/* A stopped peer reads nothing: each further word would only pile up. */
static void does_not_repeat_itself_to_a_peer_that_does_not_read(void **unused)
{
    AUTO_FREE char *much = must(calloc(1, SESSION_MESSAGE_MAX));
    struct scene scene = begin();
    cJSON *body = must(cJSON_CreateObject());
    (void)unused;

    memset(much, 'x', SESSION_MESSAGE_MAX - 100);
    cJSON_AddStringToObject(body, "much", much);
    assert_true(session_send(scene.session, "checked", body, NULL));
    for (int i = 0; i < 100; i++)
        peer_goes_on_living(&scene);
    fcntl(scene.peer, F_SETFL, O_NONBLOCK);
    for (size_t left = SESSION_MESSAGE_MAX - 100; left > 0;) {
        ssize_t got = recv(scene.peer, much, left, 0);

        left -= got > 0 ? (size_t)got : 0;
        assert_true(turn(&scene, NULL));
    }
    assert_true(recv(scene.peer, much, 4096, 0) < 200);
    end(&scene);
}

/* ---- a conversation ---- */

/* A receiver in a thread, with a loop of its own. */
struct receiver {
    int fd;
    bool ok;
};

static void *receive(void *arg)
{
    struct receiver *receiver = arg;
    struct loop *loop = loop_new();
    struct session *session =
        session_new(loop, receiver->fd, receiver->fd, SIDE_RECV, timing, NULL);
    AUTO_JSON cJSON *hello = session_expect(session, "hello", SOON_MS, NULL);
    AUTO_JSON cJSON *params = NULL;

    session_set_stations(session, stations);
    receiver->ok = hello && session_send(session, "hello", NULL, NULL);
    params = session_expect(session, "params", SOON_MS, NULL);
    receiver->ok = receiver->ok && params && session_send(session, "listening", NULL, NULL) &&
                   session_done(session, "first", SOON_MS, NULL) &&
                   session_send(session, "ready", NULL, NULL) &&
                   session_done(session, "second", SOON_MS, NULL) &&
                   session_done(session, "third", SOON_MS, NULL);
    session_goodbye(session);
    receiver->ok = receiver->ok && !loop_interrupted(loop);
    session_free(session);
    loop_free(loop);
    return NULL;
}

static void two_sessions_go_through_a_whole_conversation(void **unused)
{
    struct scene scene = begin();
    struct receiver receiver = { fcntl(scene.peer, F_DUPFD_CLOEXEC, 3), false };
    pthread_t thread;
    (void)unused;

    peer_closes(&scene);
    assert_int_equal(pthread_create(&thread, NULL, receive, &receiver), 0);
    assert_true(session_send(scene.session, "hello", NULL, NULL));
    assert_heard(&scene, "hello");
    session_set_stations(scene.session, stations);
    assert_true(session_send(scene.session, "params", NULL, NULL));
    assert_heard(&scene, "listening");
    assert_true(session_done(scene.session, "first", SOON_MS, NULL));
    assert_heard(&scene, "ready");
    assert_true(session_done(scene.session, "second", SOON_MS, NULL));
    assert_true(session_done(scene.session, "third", SOON_MS, NULL));
    session_goodbye(scene.session);
    pthread_join(thread, NULL);
    assert_true(receiver.ok);
    assert_false(loop_interrupted(scene.loop));
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_a_message_as_its_length_and_an_object),
        cmocka_unit_test(says_a_message_without_members),
        cmocka_unit_test(hears_a_message_with_its_members_and_members_it_does_not_know),
        cmocka_unit_test(hears_messages_in_their_order_though_they_come_at_once),
        cmocka_unit_test(hears_a_message_that_comes_byte_by_byte),
        cmocka_unit_test(talks_over_a_pair_of_pipes),
        cmocka_unit_test(takes_its_descriptors_also_when_it_fails),
        cmocka_unit_test(says_what_came_instead_of_what_was_due),
        cmocka_unit_test(hears_one_of_several),
        cmocka_unit_test(says_what_it_has_waited_for_in_vain),
        cmocka_unit_test(permits_a_stages_messages_from_the_side_that_says_them),
        cmocka_unit_test(permits_no_stages_messages_before_there_are_stages),
        cmocka_unit_test(permits_no_later_stages_messages),
        cmocka_unit_test(permits_no_earlier_stages_messages),
        cmocka_unit_test(lets_the_peer_be_ahead),
        cmocka_unit_test(permits_what_is_permitted_always),
        cmocka_unit_test(breaks_off_at_a_message_it_does_not_know),
        cmocka_unit_test(says_that_it_is_through_and_hears_it),
        cmocka_unit_test(a_peer_may_not_skip_a_stage),
        cmocka_unit_test(a_peer_may_not_be_through_with_more_than_there_is),
        cmocka_unit_test(a_peer_must_say_what_it_is_through_with),
        cmocka_unit_test(a_peer_may_not_say_more_than_anybody_waits_for),
        cmocka_unit_test(knows_a_login_banner_from_a_peer),
        cmocka_unit_test(knows_a_message_that_is_too_long_at_its_first_bytes),
        cmocka_unit_test(breaks_off_at_a_message_without_a_type),
        cmocka_unit_test(says_nothing_that_is_too_long),
        cmocka_unit_test(an_abort_interrupts_with_the_peers_own_words),
        cmocka_unit_test(what_came_before_an_abort_is_heard_before_it),
        cmocka_unit_test(says_why_it_gives_up_and_listens_no_more),
        cmocka_unit_test(a_lost_connection_interrupts),
        cmocka_unit_test(the_peers_last_words_beat_the_loss_of_its_connection),
        cmocka_unit_test(the_reason_of_a_peer_that_has_gone_is_heard_though_we_spoke),
        cmocka_unit_test(a_cut_is_a_loss_at_both_ends),
        cmocka_unit_test(may_be_freed_with_words_that_nobody_took),
        cmocka_unit_test(once_muted_a_loss_is_only_told_to_who_asks),
        cmocka_unit_test(once_muted_an_abort_is_a_message_like_any_other),
        cmocka_unit_test(parts_when_both_have_said_goodbye),
        cmocka_unit_test(a_connection_that_ends_after_goodbye_is_not_lost),
        cmocka_unit_test(a_goodbye_where_something_was_due_is_an_error),
        cmocka_unit_test(what_came_before_a_goodbye_is_heard),
        cmocka_unit_test(does_not_wait_for_ever_for_the_peers_goodbye),
        cmocka_unit_test(says_nothing_after_goodbye),
        cmocka_unit_test(says_now_and_then_that_it_is_alive),
        cmocka_unit_test(a_peer_that_says_it_is_alive_is_not_lost),
        cmocka_unit_test(a_silent_peer_is_lost),
        cmocka_unit_test(a_peer_that_says_anything_at_all_is_not_lost),
        cmocka_unit_test(our_own_silence_is_not_taken_for_the_peers),
        cmocka_unit_test(takes_a_new_timing),
        cmocka_unit_test(does_not_repeat_itself_to_a_peer_that_does_not_read),
        cmocka_unit_test(two_sessions_go_through_a_whole_conversation),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

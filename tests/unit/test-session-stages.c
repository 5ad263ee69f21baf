/* What may be said when: the messages of the stages, and a whole conversation. */
#include "tests/unit/session-scene.h"
#include "xmig/text.h"

#include <pthread.h>

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

static struct scene begin_with_stations(void)
{
    struct scene scene = begin();

    session_set_stations(scene.session, stations);
    return scene;
}

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

/* Of 64 messages each could be of a whole MiB. */
static void a_peer_may_not_say_more_bytes_than_two_messages_have(void **unused)
{
    enum {
        LONG = 100000,
        COUNT = 2 * SESSION_MESSAGE_MAX / LONG
    };
    struct scene scene = begin();
    AUTO_FREE char *text = must(calloc(1, LONG + 1));
    AUTO_FREE char *json = NULL;
    struct error err = { 0 };
    (void)unused;

    memset(text, 'x', LONG - 30);
    json = formatted("{\"type\":\"settled\",\"x\":\"%s\"}", text);
    for (int i = 0; i < COUNT; i++) {
        peer_says(&scene, json);
        assert_ok(turn(&scene, &err), &err);
    }
    assert_heard(&scene, "settled"); /* then there is room for one more */
    for (int i = 0; i < 2; i++)
        peer_says(&scene, json);
    assert_breaks_off(&scene, "the peer says more than anybody waits for");
    end(&scene);
}

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
        cmocka_unit_test(a_peer_may_not_say_more_bytes_than_two_messages_have),
        cmocka_unit_test(two_sessions_go_through_a_whole_conversation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The ends of a conversation: an abort, a loss, a goodbye, and silence that lasts. */
#include "tests/unit/session-scene.h"
#include "xmig/text.h"

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

static void a_peer_that_breaks_the_rules_hears_which(void **unused)
{
    struct scene scene = begin();
    struct error why = { 0 };
    (void)unused;

    peer_says(&scene, "{\"type\":\"shell\"}");
    assert_interrupted(&scene, ERROR_PROTOCOL, "the peer said 'shell', which is not permitted now");
    assert_false(session_send(scene.session, "checked", NULL, &why));
    session_abort(scene.session, &why);
    assert_peer_hears(&scene,
                      "{\"kind\":\"protocol\",\"text\":\"the peer said 'shell', which is not "
                      "permitted now\",\"type\":\"abort\"}");
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

static void no_more_refusals_are_kept_than_somebody_reads(void **unused)
{
    enum {
        SAID = 1000,
        KEPT = 100
    };
    struct scene scene = begin();
    cJSON *message = cJSON_Parse("{\"type\":\"abort\",\"kind\":\"refused\",\"text\":\"no\"}");
    cJSON *refusals = cJSON_AddArrayToObject(message, "refusals");
    AUTO_FREE char *text = NULL;
    struct error err = { 0 };
    (void)unused;

    for (int i = 0; i < SAID; i++)
        cJSON_AddItemToArray(refusals, cJSON_Parse("{\"text\":\"no\"}"));
    text = json_print(message);
    cJSON_Delete(message);
    peer_says(&scene, text);
    assert_null(session_expect(scene.session, "hello", SOON_MS, &err));
    assert_int_equal(cJSON_GetArraySize(session_refusals(scene.session)), KEPT + 1);
    assert_string_equal(
        json_string_or(cJSON_GetArrayItem(session_refusals(scene.session), KEPT), "text", ""),
        "and 900 more");
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

/* Says `sign` now and then, for two thirds of the time that a receiver waits for more. */
static void live_for_a_while(struct scene *scene, const char *sign)
{
    for (int i = 0; i < 240; i++) {
        peer_says(scene, sign);
        assert_true(turn(scene, NULL));
        time_passes(LOST_MS / 2);
    }
}

static void a_sender_that_only_lives_is_not_waited_for(void **unused)
{
    static const char *const signs[] = { "{\"type\":\"alive\"}", "{\"type\":\"ping\"}",
                                         "{\"type\":\"ping\",\"progress\":[{\"done\":7}]}",
                                         "{\"type\":\"pong\"}",
                                         "{\"type\":\"history\",\"lines\":\"\"}" };
    (void)unused;

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        struct scene scene = begin_as(SIDE_RECV);

        live_for_a_while(&scene, "{\"type\":\"alive\"}");
        peer_says(&scene, "{\"type\":\"ping\",\"progress\":[{\"done\":7}]}"); /* it has moved */
        live_for_a_while(&scene, signs[i]);
        for (int more = 0; more < 120; more++) {
            peer_says(&scene, signs[i]);
            time_passes(LOST_MS / 2);
        }
        time_passes(ALIVE_MS);
        assert_memory_equal(interruption(&scene).text, "the peer is alive, but has done nothing",
                            39);
        assert_int_equal(interruption(&scene).kind, ERROR_LIMIT);
        assert_false(session_lost(scene.session));
        end(&scene);
    }
}

static void a_sender_that_moves_bytes_is_waited_for(void **unused)
{
    struct scene scene = begin_as(SIDE_RECV);
    (void)unused;

    for (int i = 0; i < 720; i++) {
        AUTO_FREE char *ping =
            formatted("{\"type\":\"ping\",\"progress\":[{\"done\":1},{\"done\":%d}]}", i);

        peer_says(&scene, ping);
        assert_true(turn(&scene, NULL));
        time_passes(LOST_MS / 2);
    }
    end(&scene);
}

static cJSON *brought(void *arg)
{
    int *bytes = arg;
    cJSON *lanes = must(cJSON_CreateArray());
    cJSON *lane = json_new("subject", "disk/d0");

    json_add_uint(lane, "sent", (uint64_t)++ * bytes);
    cJSON_AddItemToArray(lanes, lane);
    return lanes;
}

/* QEMU's mirror fills a block device with zeroes, for hours, and tells nothing of it. */
static void a_sender_whose_lanes_bring_bytes_is_waited_for(void **unused)
{
    struct scene scene = begin_as(SIDE_RECV);
    int bytes = 0;
    (void)unused;

    session_carry(scene.session, (struct session_lanes){ .carried = brought, .arg = &bytes });
    live_for_a_while(&scene, "{\"type\":\"alive\"}");
    live_for_a_while(&scene, "{\"type\":\"ping\",\"progress\":[{\"done\":7}]}");
    live_for_a_while(&scene, "{\"type\":\"alive\"}");
    end(&scene);
}

/* One that is muted waits with a complete copy: its lease begins. */
static void a_sender_that_only_lives_is_lost_to_a_copy_that_waits(void **unused)
{
    struct scene scene = begin_as(SIDE_RECV);
    (void)unused;

    session_mute(scene.session);
    for (int i = 0; i < 362 && !session_lost(scene.session); i++) {
        peer_says(&scene, "{\"type\":\"alive\"}");
        assert_true(turn(&scene, NULL));
        time_passes(LOST_MS / 2);
    }
    assert_true(session_lost(scene.session));
    end(&scene);
}

/* The target may be at work for as long as it needs: whoever sends has a guest that runs. */
static void a_receiver_that_only_lives_is_waited_for(void **unused)
{
    struct scene scene = begin();
    (void)unused;

    live_for_a_while(&scene, "{\"type\":\"alive\"}");
    live_for_a_while(&scene, "{\"type\":\"alive\"}");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_abort_interrupts_with_the_peers_own_words),
        cmocka_unit_test(what_came_before_an_abort_is_heard_before_it),
        cmocka_unit_test(says_why_it_gives_up_and_listens_no_more),
        cmocka_unit_test(a_peer_that_breaks_the_rules_hears_which),
        cmocka_unit_test(a_lost_connection_interrupts),
        cmocka_unit_test(the_peers_last_words_beat_the_loss_of_its_connection),
        cmocka_unit_test(the_reason_of_a_peer_that_has_gone_is_heard_though_we_spoke),
        cmocka_unit_test(a_cut_is_a_loss_at_both_ends),
        cmocka_unit_test(may_be_freed_with_words_that_nobody_took),
        cmocka_unit_test(once_muted_a_loss_is_only_told_to_who_asks),
        cmocka_unit_test(no_more_refusals_are_kept_than_somebody_reads),
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
        cmocka_unit_test(a_sender_that_only_lives_is_not_waited_for),
        cmocka_unit_test(a_sender_that_moves_bytes_is_waited_for),
        cmocka_unit_test(a_sender_whose_lanes_bring_bytes_is_waited_for),
        cmocka_unit_test(a_sender_that_only_lives_is_lost_to_a_copy_that_waits),
        cmocka_unit_test(a_receiver_that_only_lives_is_waited_for),
        cmocka_unit_test(a_peer_that_says_anything_at_all_is_not_lost),
        cmocka_unit_test(our_own_silence_is_not_taken_for_the_peers),
        cmocka_unit_test(takes_a_new_timing),
        cmocka_unit_test(does_not_repeat_itself_to_a_peer_that_does_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

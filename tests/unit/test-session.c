/* Messages over the control connection: said, heard, waited for, and those of strangers. */
#include "tests/unit/session-scene.h"

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

static cJSON *progress(void *arg)
{
    (void)arg;
    return must(cJSON_Parse("[{\"subject\":\"ram\",\"sent\":5}]"));
}

static void take_clock(void *arg, const struct session_clock *clock)
{
    (void)arg;
    (void)clock;
}

static void take_limit(void *arg, uint64_t bytes_per_s)
{
    *(uint64_t *)arg = bytes_per_s;
}

static bool peer_hears_word(struct scene *scene, const char *word)
{
    AUTO_FREE char *said = peer_hears(scene);

    return strstr(said, word) != NULL;
}

/* What the target has heard of the source's progress is not told back. */
static void the_source_tells_its_progress_and_the_target_what_has_come(void **unused)
{
    for (enum side side = SIDE_SEND; side <= SIDE_RECV; side++) {
        struct scene scene = begin_as(side);

        session_share(scene.session,
                      (struct session_history){ .compare = take_clock, .tell_progress = progress });
        assert_true(turn(&scene, NULL));
        assert_int_equal(peer_hears_word(&scene, "progress"), side == SIDE_SEND);
        if (side == SIDE_RECV)
            session_carry(scene.session, (struct session_lanes){ .carried = progress });
        peer_says(&scene, "{\"type\":\"ping\",\"sent_us\":7}");
        assert_true(turn(&scene, NULL));
        assert_int_equal(peer_hears_word(&scene, "progress"), side == SIDE_RECV);
        end(&scene);
    }
    (void)unused;
}

static void a_limit_is_told_and_heard_but_not_after_an_abort(void **unused)
{
    struct scene scene = begin();
    uint64_t limit = 0;
    (void)unused;

    session_limit(scene.session, 4096);
    assert_true(turn(&scene, NULL));
    assert_peer_hears(&scene, "{\"bytes_per_s\":4096,\"type\":\"limit\"}");
    session_mute(scene.session);
    session_limit(scene.session, 1);
    assert_true(session_send(scene.session, "settled", NULL, NULL));
    assert_true(turn(&scene, NULL));
    assert_peer_hears(&scene, "{\"type\":\"settled\"}");
    end(&scene);

    scene = begin_as(SIDE_RECV);
    peer_says(&scene, "{\"type\":\"limit\",\"bytes_per_s\":1}"); /* it is of no use yet */
    assert_true(turn(&scene, NULL));
    session_carry(scene.session, (struct session_lanes){ .limit = take_limit, .arg = &limit });
    peer_says(&scene, "{\"type\":\"limit\",\"bytes_per_s\":4096}");
    assert_true(turn(&scene, NULL));
    assert_int_equal(limit, 4096);
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
        cmocka_unit_test(knows_a_login_banner_from_a_peer),
        cmocka_unit_test(knows_a_message_that_is_too_long_at_its_first_bytes),
        cmocka_unit_test(breaks_off_at_a_message_without_a_type),
        cmocka_unit_test(says_nothing_that_is_too_long),
        cmocka_unit_test(the_source_tells_its_progress_and_the_target_what_has_come),
        cmocka_unit_test(a_limit_is_told_and_heard_but_not_after_an_abort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

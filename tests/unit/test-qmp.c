/* The QMP client, against a QEMU that is only a script. */
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/fake/fake-qemu.h"
#include "tests/unit/helpers.h"
#include "xmig/qmp.h"

enum {
    SOON_MS = 50
};

struct scene {
    struct loop *loop;
    struct fake_qemu *qemu;
    struct qmp *q;
};

static struct scene connected_to(const struct exchange *script)
{
    struct scene scene = { .loop = loop_new() };
    struct error err = { 0 };

    scene.qemu = fake_qemu_new(scene.loop, script);
    scene.q = qmp_connect(scene.loop, fake_qemu_path(scene.qemu), QMP_CONNECT_MS, &err);
    assert_string_equal(err.text, "");
    assert_non_null(scene.q);
    return scene;
}

static void end(struct scene *scene)
{
    assert_null(fake_qemu_complaint(scene->qemu));
    qmp_free(scene->q);
    fake_qemu_free(scene->qemu);
    loop_free(scene->loop);
}

/* ---- calls ---- */

static void returns_what_the_command_returned(void **unused)
{
    const struct exchange script[] = { { "query-name", .reply = "{\"name\": \"web\"}" }, { 0 } };
    struct scene scene = connected_to(script);
    AUTO_JSON cJSON *result = NULL;
    struct error err = { 0 };
    (void)unused;

    assert_true(qmp_call(scene.q, "query-name", NULL, &result, &err));
    assert_string_equal(json_string_or(result, "name", ""), "web");
    end(&scene);
}

static void passes_the_arguments(void **unused)
{
    const struct exchange script[] = {
        { "job-dismiss", .with = "\"arguments\":{\"id\":\"j\"}" },
        { 0 },
    };
    struct scene scene = connected_to(script);
    cJSON *arguments = cJSON_CreateObject();
    (void)unused;

    cJSON_AddStringToObject(arguments, "id", "j");
    assert_true(qmp_call(scene.q, "job-dismiss", arguments, NULL, NULL));
    end(&scene);
}

static void tells_in_qemus_words_why_it_refuses(void **unused)
{
    const struct exchange script[] = { { "cont", .reply = "error: the disk is locked" }, { 0 } };
    struct scene scene = connected_to(script);
    struct error err = { 0 };
    (void)unused;

    assert_false(qmp_call(scene.q, "cont", NULL, NULL, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_string_equal(err.text, "QEMU refused cont: the disk is locked");
    end(&scene);
}

static void waits_for_a_reply_no_longer_than_told(void **unused)
{
    const struct exchange script[] = { { "stop", .action = FAKE_IGNORE }, { 0 } };
    struct scene scene = connected_to(script);
    struct error err = { 0 };
    (void)unused;

    assert_false(qmp_call_within(scene.q, "stop", NULL, NULL, SOON_MS, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    end(&scene);
}

static void takes_the_late_reply_of_an_abandoned_call_for_no_other(void **unused)
{
    /* qmp_capabilities had id 1, so stop has 2. */
    const struct exchange script[] = {
        { "stop", .action = FAKE_IGNORE },
        { "query-name", .reply = "{\"name\": \"web\"}",
          .early = { "{\"return\": {}, \"id\": 2}" } },
        { 0 },
    };
    struct scene scene = connected_to(script);
    AUTO_JSON cJSON *result = NULL;
    (void)unused;

    assert_false(qmp_call_within(scene.q, "stop", NULL, NULL, SOON_MS, NULL));
    assert_true(qmp_call(scene.q, "query-name", NULL, &result, NULL));
    assert_string_equal(json_string_or(result, "name", ""), "web");
    end(&scene);
}

static void names_the_socket_when_qemu_dies_during_a_call(void **unused)
{
    const struct exchange script[] = { { "cont", .action = FAKE_HANG_UP }, { 0 } };
    struct scene scene = connected_to(script);
    struct error err = { 0 };
    (void)unused;

    assert_false(qmp_call(scene.q, "cont", NULL, NULL, &err));
    assert_int_equal(err.kind, ERROR_LOST);
    assert_non_null(strstr(err.text, fake_qemu_path(scene.qemu)));
    error_clear(&err);
    assert_false(qmp_call(scene.q, "cont", cJSON_CreateObject(), NULL, &err));
    assert_int_equal(err.kind, ERROR_LOST);
    end(&scene);
}

static void obeys_an_interruption(void **unused)
{
    const struct exchange script[] = { { "stop", .action = FAKE_IGNORE },
                                       { "cont", .reply = NULL },
                                       { 0 } };
    const struct error why = { .kind = ERROR_CANCELLED, .text = "interrupted" };
    struct scene scene = connected_to(script);
    struct error err = { 0 };
    (void)unused;

    loop_interrupt(scene.loop, &why);
    assert_false(qmp_call(scene.q, "stop", NULL, NULL, &err));
    assert_int_equal(err.kind, ERROR_CANCELLED);
    loop_clear_interruption(scene.loop);
    assert_true(qmp_call(scene.q, "cont", NULL, NULL, &err));
    end(&scene);
}

static void sends_a_command_out_of_band(void **unused)
{
    const struct exchange script[] = { { "yank", .with = "\"exec-oob\":\"yank\"" }, { 0 } };
    struct scene scene = connected_to(script);
    (void)unused;

    assert_true(qmp_exec_oob(scene.q, "yank", cJSON_CreateObject(), NULL, 1000, NULL));
    end(&scene);
}

/* ---- connecting ---- */

/* The error of a connection that must not come about. */
static struct error refused_by(const char *greeting)
{
    const struct exchange script[] = { { 0 } };
    struct loop *loop = loop_new();
    struct fake_qemu *qemu = fake_qemu_new(loop, script);
    struct error err = { 0 };

    fake_qemu_greet_with(qemu, greeting);
    assert_null(qmp_connect(loop, fake_qemu_path(qemu), SOON_MS, &err));
    fake_qemu_free(qemu);
    loop_free(loop);
    return err;
}

static void says_that_a_silent_socket_is_probably_taken(void **unused)
{
    struct error err = refused_by(NULL);
    (void)unused;

    assert_int_equal(err.kind, ERROR_TIMEOUT);
    assert_says(err.text, "another program");
}

static void does_not_block_behind_others_who_wait(void **unused)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "/tmp/test-qmp.XXXXXX" };
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    struct loop *loop = loop_new();
    struct error err = { 0 };
    int waiting;
    (void)unused;

    close(mkstemp(addr.sun_path));
    unlink(addr.sun_path);
    assert_int_equal(bind(server, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(server, 0), 0);
    waiting = connect_unix(addr.sun_path, NULL);
    assert_null(qmp_connect(loop, addr.sun_path, SOON_MS, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    close(waiting);
    close(server);
    unlink(addr.sun_path);
    loop_free(loop);
}

static void does_not_talk_to_what_is_not_qemu(void **unused)
{
    (void)unused;
    assert_int_equal(refused_by("220 mail.example ESMTP").kind, ERROR_PROTOCOL);
    assert_int_equal(refused_by("{\"hello\": 1}").kind, ERROR_PROTOCOL);
}

static void names_a_socket_that_is_not_there(void **unused)
{
    struct loop *loop = loop_new();
    struct error err = { 0 };
    (void)unused;

    assert_null(qmp_connect(loop, "/nonexistent/qmp", QMP_CONNECT_MS, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_says(err.text, "/nonexistent/qmp");
    loop_free(loop);
}

static void does_without_out_of_band_where_it_is_not_offered(void **unused)
{
    const struct exchange script[] = { { 0 } };
    struct loop *loop = loop_new();
    struct fake_qemu *qemu = fake_qemu_new(loop, script);
    struct error err = { 0 };
    struct qmp *q;
    (void)unused;

    fake_qemu_greet_with(qemu, "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 10, \"minor\": 1}}, "
                               "\"capabilities\": []}}");
    q = qmp_connect(loop, fake_qemu_path(qemu), QMP_CONNECT_MS, &err);
    assert_non_null(q);
    assert_true(qmp_is_at_least(q, 7, 2));
    assert_true(qmp_is_at_least(q, 10, 1));
    assert_false(qmp_is_at_least(q, 10, 2));
    assert_false(qmp_exec_oob(q, "yank", cJSON_CreateObject(), NULL, 1000, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    qmp_free(q);
    fake_qemu_free(qemu);
    loop_free(loop);
}

static void knows_which_process_listens(void **unused)
{
    const struct exchange script[] = { { 0 } };
    struct scene scene = connected_to(script);
    (void)unused;

    assert_int_equal(qmp_peer_pid(scene.q), getpid());
    end(&scene);
}

/* ---- what QEMU must not do to us ---- */

static void gives_up_on_garbage(void **unused)
{
    const struct exchange script[] = {
        { "cont", .early = { "{\"return\": {\"half\"" } },
        { 0 },
    };
    struct scene scene = connected_to(script);
    struct error err = { 0 };
    (void)unused;

    assert_false(qmp_call(scene.q, "cont", NULL, NULL, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    end(&scene);
}

static void gives_up_on_a_reply_to_nothing_it_asked(void **unused)
{
    const struct exchange script[] = {
        { "cont", .early = { "{\"error\": {\"class\": \"GenericError\", \"desc\": \"what?\"}}" } },
        { 0 },
    };
    struct scene scene = connected_to(script);
    struct error err = { 0 };
    (void)unused;

    assert_false(qmp_call(scene.q, "cont", NULL, NULL, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    assert_says(err.text, "what?");
    end(&scene);
}

/* A JSON string of `size` bytes. */
static char *long_string(size_t size)
{
    char *text = must(malloc(size + 1));

    memset(text, 'x', size);
    text[0] = text[size - 1] = '"';
    text[size] = '\0';
    return text;
}

static void reads_lines_of_megabytes(void **unused)
{
    enum {
        MEGABYTES = 3 * 1024 * 1024
    };
    AUTO_FREE char *text = long_string(MEGABYTES);
    const struct exchange script[] = { { "query-name", .reply = text }, { 0 } };
    struct scene scene = connected_to(script);
    AUTO_JSON cJSON *result = NULL;
    (void)unused;

    assert_true(qmp_call(scene.q, "query-name", NULL, &result, NULL));
    assert_int_equal(strlen(result->valuestring), MEGABYTES - 2);
    end(&scene);
}

static void does_not_read_a_line_without_end(void **unused)
{
    enum {
        TOO_MUCH = 17 * 1024 * 1024
    };
    AUTO_FREE char *text = long_string(TOO_MUCH);
    const struct exchange script[] = { { "query-name", .reply = text }, { 0 } };
    struct scene scene = connected_to(script);
    struct error err = { 0 };
    (void)unused;

    assert_false(qmp_call(scene.q, "query-name", NULL, NULL, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    end(&scene);
}

/* ---- events ---- */

#define MIGRATION(STATUS) "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"" STATUS "\"}}"

static bool has_status(const cJSON *data, const void *status)
{
    return !strcmp(json_string_or(data, "status", ""), status);
}

static void finds_an_event_that_came_before_the_wait(void **unused)
{
    const struct exchange script[] = {
        { "migrate",
          .events = { MIGRATION("setup"), "{\"event\": \"STOP\"}", MIGRATION("active") } },
        { "query-name", .reply = NULL },
        { 0 },
    };
    struct scene scene = connected_to(script);
    size_t mark = qmp_mark(scene.q);
    size_t again = mark;
    (void)unused;

    assert_true(qmp_call(scene.q, "migrate", NULL, NULL, NULL));
    assert_true(qmp_call(scene.q, "query-name", NULL, NULL, NULL));
    assert_non_null(
        qmp_wait_event(scene.q, &mark, "MIGRATION", has_status, "active", SOON_MS, NULL));
    assert_non_null(qmp_wait_event(scene.q, &again, "STOP", NULL, NULL, SOON_MS, NULL));
    end(&scene);
}

static void finds_no_event_twice_and_none_from_before_the_mark(void **unused)
{
    const struct exchange script[] = {
        { "migrate", .early = { MIGRATION("setup"), MIGRATION("active") } },
        { 0 },
    };
    struct scene scene = connected_to(script);
    size_t mark = qmp_mark(scene.q);
    struct error err = { 0 };
    (void)unused;

    assert_true(qmp_call(scene.q, "migrate", NULL, NULL, NULL));
    assert_non_null(qmp_wait_event(scene.q, &mark, "MIGRATION", NULL, NULL, SOON_MS, NULL));
    assert_non_null(qmp_wait_event(scene.q, &mark, "MIGRATION", NULL, NULL, SOON_MS, NULL));
    assert_null(qmp_wait_event(scene.q, &mark, "MIGRATION", NULL, NULL, SOON_MS, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    mark = qmp_mark(scene.q);
    assert_null(qmp_wait_event(scene.q, &mark, "MIGRATION", NULL, NULL, SOON_MS, &err));
    end(&scene);
}

static void a_wait_ends_when_qemu_does(void **unused)
{
    const struct exchange script[] = { { 0 } };
    struct scene scene = connected_to(script);
    size_t mark = qmp_mark(scene.q);
    struct error err = { 0 };
    (void)unused;

    fake_qemu_hang_up(scene.qemu);
    assert_null(qmp_wait_event(scene.q, &mark, "STOP", NULL, NULL, 10000, &err));
    assert_int_equal(err.kind, ERROR_LOST);
    end(&scene);
}

static void what_qemu_said_before_it_died_still_counts(void **unused)
{
    const struct exchange script[] = { { "quit", .events = { "{\"event\": \"SHUTDOWN\"}" } },
                                       { 0 } };
    struct scene scene = connected_to(script);
    size_t mark = qmp_mark(scene.q);
    (void)unused;

    assert_true(qmp_call(scene.q, "quit", NULL, NULL, NULL));
    fake_qemu_hang_up(scene.qemu);
    assert_non_null(qmp_wait_event(scene.q, &mark, "SHUTDOWN", NULL, NULL, 10000, NULL));
    end(&scene);
}

static void a_flood_pushes_out_only_the_oldest(void **unused)
{
    enum {
        FLOOD = 1000
    };
    const struct exchange script[] = { { "query-name", .reply = NULL }, { 0 } };
    struct scene scene = connected_to(script);
    size_t mark = qmp_mark(scene.q);
    (void)unused;

    fake_qemu_say(scene.qemu, "{\"event\": \"RESUME\"}");
    for (int i = 0; i < FLOOD; i++)
        fake_qemu_say(scene.qemu, "{\"event\": \"BLOCK_JOB_ERROR\", \"data\": {}}");
    fake_qemu_say(scene.qemu, "{\"event\": \"STOP\"}");
    assert_true(qmp_call(scene.q, "query-name", NULL, NULL, NULL));
    assert_int_equal(qmp_mark(scene.q), FLOOD + 2);
    assert_null(qmp_wait_event(scene.q, &(size_t){ mark }, "RESUME", NULL, NULL, SOON_MS, NULL));
    assert_non_null(qmp_wait_event(scene.q, &mark, "STOP", NULL, NULL, SOON_MS, NULL));
    end(&scene);
}

/* Of the newest events all is kept: a QEMU that is not itself must not fill our memory by them. */
static void takes_no_event_of_very_many_bytes(void **unused)
{
    const struct exchange script[] = { { 0 } };
    struct scene scene = connected_to(script);
    AUTO_FREE char *much = must(calloc(1, 20001));
    AUTO_FREE char *event = NULL;
    struct error err = { 0 };
    size_t mark = 0;
    (void)unused;

    memset(much, 'x', 20000);
    assert_true(asprintf(&event, "{\"event\": \"STOP\", \"data\": {\"why\": \"%s\"}}", much) > 0);
    fake_qemu_say(scene.qemu, event);
    assert_null(qmp_wait_event(scene.q, &mark, "STOP", NULL, NULL, 10000, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    assert_says(err.text, "an event of more than 16384 bytes");
    end(&scene);
}

static void knows_when_an_event_came_last(void **unused)
{
    const struct exchange script[] = { { "stop", .events = { "{\"event\": \"STOP\"}" } }, { 0 } };
    struct scene scene = connected_to(script);
    size_t mark = qmp_mark(scene.q);
    uint64_t before = loop_now_ms();
    (void)unused;

    assert_int_equal(qmp_last_event_ms(scene.q, "STOP"), 0);
    assert_true(qmp_call(scene.q, "stop", NULL, NULL, NULL));
    assert_non_null(qmp_wait_event(scene.q, &mark, "STOP", NULL, NULL, SOON_MS, NULL));
    assert_in_range(qmp_last_event_ms(scene.q, "STOP"), before, loop_now_ms());
    end(&scene);
}

static bool is_interrupted(void *loop)
{
    return loop_interrupted(loop);
}

static void the_loss_of_qemu_interrupts_only_who_asked_for_it(void **unused)
{
    const struct exchange script[] = { { 0 } };
    struct scene scene = connected_to(script);
    struct error err = { 0 };
    (void)unused;

    fake_qemu_hang_up(scene.qemu);
    assert_false(loop_wait(scene.loop, is_interrupted, scene.loop, SOON_MS, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    assert_true(qmp_lost(scene.q, &err));
    qmp_guard(scene.q, true);
    assert_true(loop_interrupted(scene.loop));
    end(&scene);
}

static void the_loss_of_a_guarded_qemu_ends_every_wait(void **unused)
{
    const struct exchange script[] = { { 0 } };
    struct scene scene = connected_to(script);
    struct error err = { 0 };
    (void)unused;

    qmp_guard(scene.q, true);
    fake_qemu_hang_up(scene.qemu);
    assert_false(loop_pause(scene.loop, 10000, &err));
    assert_int_equal(err.kind, ERROR_LOST);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_what_the_command_returned),
        cmocka_unit_test(passes_the_arguments),
        cmocka_unit_test(tells_in_qemus_words_why_it_refuses),
        cmocka_unit_test(waits_for_a_reply_no_longer_than_told),
        cmocka_unit_test(takes_the_late_reply_of_an_abandoned_call_for_no_other),
        cmocka_unit_test(names_the_socket_when_qemu_dies_during_a_call),
        cmocka_unit_test(obeys_an_interruption),
        cmocka_unit_test(sends_a_command_out_of_band),
        cmocka_unit_test(says_that_a_silent_socket_is_probably_taken),
        cmocka_unit_test(does_not_block_behind_others_who_wait),
        cmocka_unit_test(does_not_talk_to_what_is_not_qemu),
        cmocka_unit_test(names_a_socket_that_is_not_there),
        cmocka_unit_test(does_without_out_of_band_where_it_is_not_offered),
        cmocka_unit_test(knows_which_process_listens),
        cmocka_unit_test(gives_up_on_garbage),
        cmocka_unit_test(gives_up_on_a_reply_to_nothing_it_asked),
        cmocka_unit_test(reads_lines_of_megabytes),
        cmocka_unit_test(does_not_read_a_line_without_end),
        cmocka_unit_test(finds_an_event_that_came_before_the_wait),
        cmocka_unit_test(finds_no_event_twice_and_none_from_before_the_mark),
        cmocka_unit_test(a_wait_ends_when_qemu_does),
        cmocka_unit_test(what_qemu_said_before_it_died_still_counts),
        cmocka_unit_test(a_flood_pushes_out_only_the_oldest),
        cmocka_unit_test(takes_no_event_of_very_many_bytes),
        cmocka_unit_test(knows_when_an_event_came_last),
        cmocka_unit_test(the_loss_of_qemu_interrupts_only_who_asked_for_it),
        cmocka_unit_test(the_loss_of_a_guarded_qemu_ends_every_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

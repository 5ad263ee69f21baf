/* One line of QMP: what it is taken for, and what is refused. */
#include "qmp/message.h"

#include "tests/unit/helpers.h"

static struct qmp_message parsed(const char *line)
{
    struct qmp_message message;
    struct error err = { 0 };

    assert_true(qmp_message_parse(line, strlen(line), &message, &err));
    return message;
}

static void knows_a_greeting(void **unused)
{
    struct qmp_message message = parsed("{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r");
    (void)unused;

    assert_int_equal(message.kind, QMP_GREETING);
    qmp_message_done(&message);
}

static void knows_an_event_with_its_data(void **unused)
{
    struct qmp_message message = parsed("{\"event\": \"STOP\", \"data\": {\"a\": 1}}");
    (void)unused;

    assert_int_equal(message.kind, QMP_EVENT);
    assert_string_equal(message.text, "STOP");
    assert_int_equal(json_uint_or(message.body, "a", 0), 1);
    qmp_message_done(&message);
}

static void gives_an_event_without_data_an_empty_object(void **unused)
{
    struct qmp_message message = parsed("{\"event\": \"STOP\"}");
    AUTO_JSON cJSON *body = qmp_message_take_body(&message);
    (void)unused;

    assert_true(cJSON_IsObject(body));
    qmp_message_done(&message);
}

static void knows_a_return_of_any_type(void **unused)
{
    struct qmp_message message = parsed("{\"return\": [], \"id\": 7}");
    (void)unused;

    assert_int_equal(message.kind, QMP_RETURN);
    assert_int_equal(message.id, 7);
    assert_true(cJSON_IsArray(message.body));
    qmp_message_done(&message);
}

static void knows_an_error_by_its_words(void **unused)
{
    struct qmp_message message =
        parsed("{\"id\": 3, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}");
    (void)unused;

    assert_int_equal(message.kind, QMP_ERROR);
    assert_int_equal(message.id, 3);
    assert_string_equal(message.text, "no");
    qmp_message_done(&message);
}

static void takes_an_empty_line_for_nothing(void **unused)
{
    (void)unused;
    assert_int_equal(parsed("\r").kind, QMP_NOTHING);
}

static void refuses_what_is_not_qmp(void **unused)
{
    static const char *const lines[] = {
        "hello",
        "[]",
        "{}",
        "{\"id\": 1}",
        "{\"event\": 1}",
        "{\"QMP\": 1}",
        "{\"error\": \"no\", \"id\": 1}",
        "{\"error\": {\"class\": \"GenericError\"}, \"id\": 1}",
        "{\"return\": {}} {\"return\": {}}",
        "{\"return\": {",
    };
    struct qmp_message message;
    (void)unused;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct error err = { 0 };

        assert_false(qmp_message_parse(lines[i], strlen(lines[i]), &message, &err));
        assert_int_equal(err.kind, ERROR_PROTOCOL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_a_greeting),
        cmocka_unit_test(knows_an_event_with_its_data),
        cmocka_unit_test(gives_an_event_without_data_an_empty_object),
        cmocka_unit_test(knows_a_return_of_any_type),
        cmocka_unit_test(knows_an_error_by_its_words),
        cmocka_unit_test(takes_an_empty_line_for_nothing),
        cmocka_unit_test(refuses_what_is_not_qmp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

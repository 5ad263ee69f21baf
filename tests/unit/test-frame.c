/* Messages as bytes: whole ones, parts of them, and what was never one of ours. */
#include "transport/frame.h"

#include "tests/unit/helpers.h"
#include "xmig/session.h"

/* The bytes of a literal, which may hold NULs, without its last. */
#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

static void assert_refused(const uint8_t *bytes, size_t len, const char *text)
{
    cJSON *message;
    struct error err = { 0 };
    size_t used = 99;

    assert_false(frame_parse(bytes, len, &message, &used, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    assert_string_equal(err.text, text);
    assert_null(message);
    assert_int_equal(used, 0);
}

/* A message of `size` bytes of JSON, which is as long as it says. */
static uint8_t *of_size(uint32_t size)
{
    uint8_t *bytes = must(malloc(4 + size));

    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(size >> (24 - 8 * i));
    memset(bytes + 4, ' ', size);
    memcpy(bytes + 4, "{}", 2);
    return bytes;
}

static void needs_more_until_a_message_is_whole(void **unused)
{
    static const char text[] = "\0\0\0\x10{\"type\":\"alive\"}";
    (void)unused;

    for (size_t len = 0; len <= 20; len++) {
        AUTO_JSON cJSON *message = NULL;
        size_t used = 99;

        assert_true(frame_parse((const uint8_t *)text, len, &message, &used, NULL));
        assert_int_equal(used, len == 20 ? 20 : 0);
        assert_int_equal(message != NULL, len == 20);
        if (message)
            assert_string_equal(json_string_or(message, "type", ""), "alive");
    }
}

static void takes_one_message_of_several(void **unused)
{
    AUTO_JSON cJSON *message = NULL;
    size_t used;
    (void)unused;

    assert_true(frame_parse(BYTES("\0\0\0\x7{\"a\":1}\0\0\0\x7{\"a\":2}"), &message, &used, NULL));
    assert_int_equal(used, 11);
    assert_int_equal(json_uint_or(message, "a", 0), 1);
}

static void reads_what_it_has_printed(void **unused)
{
    AUTO_JSON cJSON *message = must(cJSON_Parse("{\"type\":\"hello\",\"n\":[1,2,{\"é\":null}]}"));
    AUTO_JSON cJSON *again = NULL;
    AUTO_FREE uint8_t *bytes = NULL;
    size_t len, used;
    (void)unused;

    bytes = frame_print(message, &len, NULL);
    assert_true(frame_parse(bytes, len, &again, &used, NULL));
    assert_int_equal(used, len);
    assert_true(cJSON_Compare(message, again, true));
}

static void takes_a_message_as_long_as_can_be(void **unused)
{
    AUTO_FREE uint8_t *bytes = of_size(SESSION_MESSAGE_MAX);
    AUTO_JSON cJSON *message = NULL;
    size_t used;
    (void)unused;

    assert_true(frame_parse(bytes, 4 + SESSION_MESSAGE_MAX, &message, &used, NULL));
    assert_int_equal(used, 4 + SESSION_MESSAGE_MAX);
}

/* Before it has come: nobody makes us keep more than that. */
static void refuses_a_longer_one_as_soon_as_it_says_so(void **unused)
{
    AUTO_FREE uint8_t *bytes = of_size(SESSION_MESSAGE_MAX + 1);
    (void)unused;

    assert_refused(bytes, 4,
                   "the peer does not speak xmig's protocol (a message of 1048577 bytes)");
    assert_refused(BYTES("\xff\xff\xff\xff"),
                   "the peer does not speak xmig's protocol (a message of 4294967295 bytes)");
}

/* Small on the wire, they would be large in memory. */
static void refuses_one_of_very_many_values(void **unused)
{
    AUTO_FREE uint8_t *bytes = of_size(SESSION_MESSAGE_MAX);
    (void)unused;

    memcpy(bytes + 4, "{\"a\":[", 6);
    for (size_t i = 6; i < SESSION_MESSAGE_MAX - 3; i += 2)
        memcpy(bytes + 4 + i, "0,", 2);
    memcpy(bytes + SESSION_MESSAGE_MAX, "0]}", 3);
    assert_refused(bytes, 4 + SESSION_MESSAGE_MAX,
                   "a message of the peer's with more than 65536 values");
}

static void prints_none_that_the_peer_would_refuse(void **unused)
{
    AUTO_JSON cJSON *message = must(cJSON_CreateObject());
    AUTO_FREE char *much = must(malloc(SESSION_MESSAGE_MAX));
    struct error err = { 0 };
    size_t len;
    (void)unused;

    memset(much, 'x', SESSION_MESSAGE_MAX - 1);
    much[SESSION_MESSAGE_MAX - 1] = '\0';
    cJSON_AddStringToObject(message, "much", much);
    assert_null(frame_print(message, &len, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    assert_string_equal(err.text, "a message of 1048586 bytes is longer than 1048576");
}

static void shows_the_first_line_of_what_a_login_shell_says(void **unused)
{
    const struct {
        const char *said, *shown;
    } cases[] = {
        { "Last login: Mon\r\nmore", "Last login: Mon" },
        { "\r\n\n  Welcome!\n", "Welcome!" },
        { "bash: xmig: command not found\n", "bash: xmig: command not found" },
        { "\x1b[31mred\x1b[0m\n", "[31mred?[0m" },
        { "Gr\xc3\xbc\xc3\x9f Gott\n", "Gr???? Gott" },
        { "SSH-2.0-OpenSSH_9.2p1", "SSH-2.0-OpenSSH_9.2p1" },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_FREE char *text = NULL;

        assert_true(asprintf(&text, "the peer does not speak xmig's protocol: it said '%s'",
                             cases[i].shown) > 0);
        assert_refused((const uint8_t *)cases[i].said, strlen(cases[i].said), text);
    }
}

static void shows_no_more_than_sixty_bytes_of_it(void **unused)
{
    char banner[200];
    cJSON *message;
    size_t used;
    struct error err = { 0 };
    (void)unused;

    memset(banner, 'b', sizeof(banner));
    assert_false(frame_parse((const uint8_t *)banner, sizeof(banner), &message, &used, &err));
    assert_int_equal(strlen(err.text),
                     strlen("the peer does not speak xmig's protocol: it said ''") + 60);
}

static void refuses_a_message_that_is_no_object(void **unused)
{
    (void)unused;

    assert_refused(BYTES("\0\0\0\0"), "a message of the peer's: not JSON: ''");
    assert_refused(BYTES("\0\0\0\x2[]"), "a message of the peer's: JSON, but not an object");
    assert_refused(BYTES("\0\0\0\x3{}x"),
                   "a message of the peer's: more after the end of a JSON object");
    assert_refused(BYTES("\0\0\0\x3{\0}"), "a message of the peer's: JSON with a NUL byte");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_more_until_a_message_is_whole),
        cmocka_unit_test(takes_one_message_of_several),
        cmocka_unit_test(reads_what_it_has_printed),
        cmocka_unit_test(takes_a_message_as_long_as_can_be),
        cmocka_unit_test(refuses_a_longer_one_as_soon_as_it_says_so),
        cmocka_unit_test(refuses_one_of_very_many_values),
        cmocka_unit_test(prints_none_that_the_peer_would_refuse),
        cmocka_unit_test(shows_the_first_line_of_what_a_login_shell_says),
        cmocka_unit_test(shows_no_more_than_sixty_bytes_of_it),
        cmocka_unit_test(refuses_a_message_that_is_no_object),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

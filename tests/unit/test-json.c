/* JSON from strangers: whatever is missing, mistyped or mad is an error with a text. */
#include "xmig/json.h"

#include "tests/unit/helpers.h"

#define TWO_TO_53 (UINT64_C(1) << 53)

static cJSON *parsed(const char *text)
{
    struct error err = { 0 };
    cJSON *json = json_parse_object(text, strlen(text), &err);

    if (!json)
        fail_msg("%s: %s", text, err.text);
    return json;
}

static void assert_refused(const char *text, size_t len, const char *why)
{
    struct error err = { 0 };

    assert_null(json_parse_object(text, len, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    assert_string_equal(err.text, why);
}

/* ---- a whole text ---- */

static void reads_exactly_the_bytes_it_was_given(void **unused)
{
    static const char text[] = "{\"a\":1}{\"b\":2}";
    struct error err = { 0 };
    AUTO_JSON cJSON *json = json_parse_object(text, 7, &err);
    (void)unused;

    assert_non_null(json);
    assert_int_equal(json_uint_or(json, "a", 0), 1);
    assert_null(json_parse_object(text, 6, &err));
}

static void lets_blanks_stand_around_an_object(void **unused)
{
    AUTO_JSON cJSON *json = parsed(" \t{ } \r\n");
    (void)unused;

    assert_null(json->child);
}

static void refuses_what_is_not_json(void **unused)
{
    const char *const cases[] = { "",      " ",        "{",        "}",          "{\"a\"}",
                                  "{a:1}", "{\"a\":}", "nonsense", "{\"a\":1,}", "\"open" };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };

        if (json_parse_object(cases[i], strlen(cases[i]), &err))
            fail_msg("'%s' was accepted", cases[i]);
        assert_int_equal(err.kind, ERROR_PROTOCOL);
        assert_memory_equal(err.text, "not JSON: '", 11);
    }
}

static void shows_only_the_beginning_of_what_is_not_json(void **unused)
{
    char text[500];
    struct error err = { 0 };
    (void)unused;

    memset(text, 'z', sizeof(text));
    assert_null(json_parse_object(text, sizeof(text), &err));
    assert_int_equal(strlen(err.text), strlen("not JSON: ''") + 60);
}

static void finds_a_name_that_two_members_have(void **unused)
{
    static const char *const bad[] = {
        "{\"a\":1,\"b\":2,\"a\":3}",
        "{\"x\":[{\"params\":\"\",\"params\":\"aio:/dev/sda\"}]}",
        "{\"a\":1,\"\\u0061\":1}",
    };
    AUTO_JSON cJSON *good = parsed("{\"a\":{\"a\":1},\"A\":[{\"a\":1},{\"a\":1}]}");
    (void)unused;

    assert_true(json_check_names(good, NULL));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        AUTO_JSON cJSON *json = parsed(bad[i]);
        struct error err = { 0 };

        assert_false(json_check_names(json, &err));
        assert_int_equal(err.kind, ERROR_PROTOCOL);
        assert_string_equal(err.text, i == 1 ? "'params' is there twice" : "'a' is there twice");
    }
}

static void refuses_json_that_is_not_an_object(void **unused)
{
    const char *const cases[] = { "[]", "1", "\"text\"", "null", "true" };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i], strlen(cases[i]), "JSON, but not an object");
}

static void refuses_a_nul_byte_anywhere(void **unused)
{
    (void)unused;

    assert_refused("{}\0", 3, "JSON with a NUL byte");
    assert_refused("{\"a\":\"b\0c\"}", 11, "JSON with a NUL byte");
    assert_refused("\0{}", 3, "JSON with a NUL byte");
    assert_refused("{\"a\":\"b\\u0000c\"}", 15, "JSON with a NUL byte");
    assert_refused("{\"a\":\"\\\\\\u0000\"}", 16, "JSON with a NUL byte");
}

static void refuses_more_after_the_object(void **unused)
{
    (void)unused;

    assert_refused("{} x", 4, "more after the end of a JSON object");
    assert_refused("{}{}", 4, "more after the end of a JSON object");
}

static void survives_a_nesting_bomb(void **unused)
{
    enum {
        DEPTH = 100000
    };
    AUTO_FREE char *bomb = must(malloc(2 * DEPTH));
    struct error err = { 0 };
    (void)unused;

    memset(bomb, '[', DEPTH);
    memset(bomb + DEPTH, ']', DEPTH);
    assert_null(json_parse_object(bomb, 2 * DEPTH, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    assert_null(json_parse_object(bomb, DEPTH, &err));
}

/* ---- members ---- */

static void finds_members_of_every_type(void **unused)
{
    AUTO_JSON cJSON *json = parsed("{\"s\":\"text\",\"n\":7,\"a\":[1],\"o\":{\"x\":1},\"t\":true}");
    struct error err = { 0 };
    uint64_t number = 0;
    (void)unused;

    assert_string_equal(json_string(json, "s", &err), "text");
    assert_true(json_uint(json, "n", &number, &err));
    assert_int_equal(number, 7);
    assert_int_equal(cJSON_GetArraySize(json_array(json, "a", &err)), 1);
    assert_int_equal(json_uint_or(json_object(json, "o", &err), "x", 0), 1);
    assert_true(json_true(json, "t"));
    assert_string_equal(json_string_or(json, "s", "else"), "text");
    assert_int_equal(err.kind, ERROR_NONE);
}

static void names_a_member_that_is_missing(void **unused)
{
    AUTO_JSON cJSON *json = parsed("{\"Name\":\"case counts\"}");
    struct error errs[4] = { 0 };
    uint64_t number = 99;
    (void)unused;

    assert_null(json_string(json, "name", &errs[0]));
    assert_false(json_uint(json, "name", &number, &errs[1]));
    assert_null(json_array(json, "name", &errs[2]));
    assert_null(json_object(json, "name", &errs[3]));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(errs[i].kind, ERROR_PROTOCOL);
        assert_string_equal(errs[i].text, "'name' is missing");
    }
    assert_int_equal(number, 99);
}

static void names_a_member_of_another_type(void **unused)
{
    AUTO_JSON cJSON *json = parsed("{\"s\":\"text\",\"n\":7,\"z\":null}");
    struct error err = { 0 };
    uint64_t number;
    (void)unused;

    assert_null(json_string(json, "n", &err));
    assert_string_equal(err.text, "'n' is not a string");
    assert_false(json_uint(json, "s", &number, &err));
    assert_string_equal(err.text, "'s' is not a whole number from 0 to 2^53");
    assert_null(json_array(json, "s", &err));
    assert_string_equal(err.text, "'s' is not an array");
    assert_null(json_object(json, "n", &err));
    assert_string_equal(err.text, "'n' is not an object");
    assert_null(json_string(json, "z", &err));
    assert_string_equal(err.text, "'z' is not a string");
}

static void uses_the_default_for_a_missing_or_mistyped_member(void **unused)
{
    AUTO_JSON cJSON *json = parsed("{\"s\":1,\"n\":\"7\",\"m\":-1,\"t\":1}");
    (void)unused;

    assert_string_equal(json_string_or(json, "s", "else"), "else");
    assert_string_equal(json_string_or(json, "none", "else"), "else");
    assert_null(json_string_or(json, "none", NULL));
    assert_int_equal(json_uint_or(json, "n", 5), 5);
    assert_int_equal(json_uint_or(json, "m", 5), 5);
    assert_int_equal(json_uint_or(json, "none", 5), 5);
    assert_false(json_true(json, "t"));
    assert_false(json_true(json, "none"));
}

static void finds_nothing_in_what_is_not_there(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    assert_null(json_string(NULL, "name", &err));
    assert_string_equal(err.text, "'name' is missing");
    assert_int_equal(json_uint_or(NULL, "n", 5), 5);
    assert_false(json_true(NULL, "t"));
}

/* ---- numbers ---- */

static void reads_whole_numbers_up_to_2_to_the_53(void **unused)
{
    const struct {
        const char *text;
        uint64_t number;
    } cases[] = {
        { "{\"n\":0}", 0 },
        { "{\"n\":-0}", 0 },
        { "{\"n\":1e3}", 1000 },
        { "{\"n\":4294967296}", UINT64_C(1) << 32 },
        { "{\"n\":9007199254740991}", TWO_TO_53 - 1 },
        { "{\"n\":9007199254740992}", TWO_TO_53 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_JSON cJSON *json = parsed(cases[i].text);
        uint64_t number = 1;

        assert_true(json_uint(json, "n", &number, NULL));
        assert_true(number == cases[i].number);
    }
}

static void refuses_numbers_that_a_double_would_bend(void **unused)
{
    const char *const cases[] = { "{\"n\":9007199254740994}",
                                  "{\"n\":18446744073709551615}",
                                  "{\"n\":1e400}",
                                  "{\"n\":-1}",
                                  "{\"n\":0.5}",
                                  "{\"n\":9007199254740992000}",
                                  "{\"n\":-9007199254740993}",
                                  "{\"n\":1e-9}" };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_JSON cJSON *json = parsed(cases[i]);
        uint64_t number;

        if (json_uint(json, "n", &number, NULL))
            fail_msg("%s was accepted", cases[i]);
    }
}

static void writes_numbers_that_come_back_the_same(void **unused)
{
    const uint64_t cases[] = {
        0, 1, UINT32_MAX, UINT64_C(999999999999999), TWO_TO_53 / 2 - 1, TWO_TO_53 / 2
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_JSON cJSON *json = must(cJSON_CreateObject());
        AUTO_JSON cJSON *again = NULL;
        AUTO_FREE char *text = NULL;

        json_add_uint(json, "n", cases[i]);
        text = json_print(json);
        again = parsed(text);
        assert_true(json_uint_or(again, "n", 77) == cases[i]);
    }
}

static void writes_the_greatest_there_is_for_one_that_is_too_great(void **unused)
{
    const uint64_t cases[] = { TWO_TO_53, TWO_TO_53 + 1, INT64_MAX, UINT64_MAX };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_JSON cJSON *json = must(cJSON_CreateObject());

        json_add_uint(json, "n", cases[i]);
        assert_true(json_uint_or(json, "n", 77) == TWO_TO_53);
    }
}

static void prints_one_line_without_blanks(void **unused)
{
    AUTO_JSON cJSON *json = parsed("{ \"a\" : [ 1, 2 ],\n \"b\" : \"c\\n\" }");
    AUTO_FREE char *text = json_print(json);
    (void)unused;

    assert_string_equal(text, "{\"a\":[1,2],\"b\":\"c\\n\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_exactly_the_bytes_it_was_given),
        cmocka_unit_test(lets_blanks_stand_around_an_object),
        cmocka_unit_test(refuses_what_is_not_json),
        cmocka_unit_test(shows_only_the_beginning_of_what_is_not_json),
        cmocka_unit_test(finds_a_name_that_two_members_have),
        cmocka_unit_test(refuses_json_that_is_not_an_object),
        cmocka_unit_test(refuses_a_nul_byte_anywhere),
        cmocka_unit_test(refuses_more_after_the_object),
        cmocka_unit_test(survives_a_nesting_bomb),
        cmocka_unit_test(finds_members_of_every_type),
        cmocka_unit_test(names_a_member_that_is_missing),
        cmocka_unit_test(names_a_member_of_another_type),
        cmocka_unit_test(uses_the_default_for_a_missing_or_mistyped_member),
        cmocka_unit_test(finds_nothing_in_what_is_not_there),
        cmocka_unit_test(reads_whole_numbers_up_to_2_to_the_53),
        cmocka_unit_test(refuses_numbers_that_a_double_would_bend),
        cmocka_unit_test(writes_numbers_that_come_back_the_same),
        cmocka_unit_test(writes_the_greatest_there_is_for_one_that_is_too_great),
        cmocka_unit_test(prints_one_line_without_blanks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

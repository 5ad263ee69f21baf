#include "cmd/wrap.h"

#include "cmd/printable.h"

#include "tests/unit/helpers.h"

static void assert_wraps(size_t width, const char *text, const char *wanted)
{
    char *printed = NULL;
    size_t size;
    FILE *out = must(open_memstream(&printed, &size));

    wrap_print(out, width, 4, text);
    fclose(out);
    assert_string_equal(printed, wanted);
    free(printed);
}

static void breaks_at_spaces_and_indents(void **unused)
{
    (void)unused;
    assert_wraps(12, "one two three four", "one two\n    three\n    four\n");
    assert_wraps(12, "exactly 12 .", "exactly 12 .\n");
    assert_wraps(9, "  led by spaces", "  led by\n    spaces\n");
}

static void breaks_nothing_where_there_is_no_terminal(void **unused)
{
    (void)unused;
    assert_wraps(0, "one two three four five six seven", "one two three four five six seven\n");
}

static void leaves_a_long_word_whole(void **unused)
{
    (void)unused;
    assert_wraps(8, "a 0123456789abcdef b", "a\n    0123456789abcdef\n    b\n");
}

static void keeps_a_number_with_its_unit_and_a_command_in_one_piece(void **unused)
{
    (void)unused;
    assert_wraps(14, "it took 12.3 s ago", "it took\n    12.3 s ago\n");
    assert_wraps(16, "then run 'xmig recover 01' here",
                 "then run\n    'xmig recover 01'\n    here\n");
}

static void counts_characters_and_not_bytes(void **unused)
{
    (void)unused;
    assert_wraps(9, "…… …… ……", "…… …… ……\n");
}

static void shows_what_a_terminal_would_obey(void **unused)
{
    (void)unused;
    assert_wraps(0, "a\033[2Jb\rc\nd\te\177", "a\\x1b[2Jb\\x0dc\\nd\\te\\x7f\n");
    assert_wraps(0, "\302\233H \342\200\256x", "\\xc2\\x9bH \\xe2\\x80\\xaex\n");
    assert_wraps(0, "\377 \303 \300\200 \355\240", "\\xff \\xc3 \\xc0\\x80 \\xed\\xa0\n");
    assert_wraps(0, "Zürich 東京 😀 \\", "Zürich 東京 😀 \\\n");
}

static void cuts_between_characters(void **unused)
{
    (void)unused;
    assert_int_equal(wrap_fitting("äöü", 2), 4);
    assert_int_equal(wrap_fitting("äöü", 3), 6);
    assert_int_equal(wrap_fitting("abc", 80), 3);
    assert_int_equal(wrap_fitting("abc", 0), 0);
}

/* What a reader of JSON would refuse, and what a terminal would obey. */
static void json_is_fit_for_everybody(void **unused)
{
    static const struct {
        const char *json, *shown;
    } cases[] = {
        { "{\"a\":\"Grüß €𝄞\"}", "{\"a\":\"Grüß €𝄞\"}" },
        { "\"\\u001b[31m\\n\"", "\"\\u001b[31m\\n\"" },
        { "\"a\xff\"", "\"a\\ufffd\"" },
        { "\"\xc3\"", "\"\\ufffd\"" },
        { "\"\xc0\xaf\"", "\"\\ufffd\\ufffd\"" },
        { "\"\xed\xa0\x80\"", "\"\\ufffd\\ufffd\\ufffd\"" },
        { "\"\xf4\x90\x80\x80\"", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
        { "\"\x7f\xc2\x9b\xe2\x80\xae\xd8\x9c\"", "\"\\u007f\\u009b\\u202e\\u061c\"" },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_FREE char *shown = printable_json(cases[i].json);

        assert_string_equal(shown, cases[i].shown);
    }
}

/* Of a stream a character or a line's end may come in two parts. */
static void lines_of_a_stream_stay_lines(void **unused)
{
    static const struct {
        const char *bytes, *shown;
        size_t left;
    } cases[] = {
        { "one\ntwo\r\nPassword: ", "one\ntwo\nPassword: ", 0 },
        { "\033[2J\rhere\tthere\n", "\\x1b[2J\\x0dhere\\tthere\n", 0 },
        { "Gr\xc3", "Gr", 1 },
        { "\xf0\x9d\x84", "", 3 },
        { "\xe2\x80\xae\xff\xc3(", "\\xe2\\x80\\xae\\xff\\xc3(", 0 },
        { "end\r", "end", 1 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t used, len = strlen(cases[i].bytes);
        AUTO_FREE char *shown = printable_lines(cases[i].bytes, len, false, &used);

        assert_string_equal(shown, cases[i].shown);
        assert_int_equal(len - used, cases[i].left);
    }
}

static void the_rest_of_a_stream_is_shown_at_its_end(void **unused)
{
    size_t used;
    AUTO_FREE char *shown = printable_lines("a\0b\xe2\x82", 5, true, &used);
    (void)unused;

    assert_string_equal(shown, "a\\x00b\\xe2\\x82");
    assert_int_equal(used, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(breaks_at_spaces_and_indents),
        cmocka_unit_test(breaks_nothing_where_there_is_no_terminal),
        cmocka_unit_test(leaves_a_long_word_whole),
        cmocka_unit_test(keeps_a_number_with_its_unit_and_a_command_in_one_piece),
        cmocka_unit_test(counts_characters_and_not_bytes),
        cmocka_unit_test(shows_what_a_terminal_would_obey),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(json_is_fit_for_everybody),
        cmocka_unit_test(lines_of_a_stream_stay_lines),
        cmocka_unit_test(the_rest_of_a_stream_is_shown_at_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a journal can never be made to say: whatever is torn, changed or lost. */
#include "tests/unit/journal-scene.h"

#include "core/journal-parse.h"

static const struct identity elsewhere = { "22222222222222222222222222222222", "boot-a" };
static const struct journal_owner owner = { ID, SIDE_SEND, "11111111111111111111111111111111" };

/* What these bytes say as a journal: -1 is nothing. */
static int verdict(const char *bytes)
{
    struct journal_text text;
    int last;

    if (!journal_parse(bytes, SIZE, &owner, &text, NULL))
        return -1;
    last = (int)text.last;
    journal_text_done(&text);
    return last;
}

static void ignores_every_beginning_of_a_record_and_writes_over_it(void **unused)
{
    AUTO_FREE char *whole = calloc(1, SIZE);
    AUTO_FREE char *torn = calloc(1, SIZE);
    size_t start, end;
    (void)unused;

    IMAGE(whole, RECORD_PAUSING, RECORD_COMMIT);
    start = line_at(whole, 2);
    end = line_at(whole, 3);
    for (size_t cut = start; cut < end - 1; cut++) {
        struct journal *journal;

        memset(torn, 0, SIZE);
        memcpy(torn, whole, cut);
        write_file(torn, SIZE);
        journal = open_side(SIDE_SEND);
        assert_int_equal(journal_last(journal), RECORD_PAUSING);
        append(journal, RECORD_NOTE);
        journal_free(journal);
        read_file(torn);
        assert_int_equal(strlen(torn), line_at(torn, 3));
        assert_int_equal(verdict(torn), RECORD_PAUSING);
    }
}

static void leaves_nothing_of_a_torn_record_that_was_longer_than_the_next(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    AUTO_JSON cJSON *facts = big_facts(2000);
    struct journal *journal = CREATE(SIDE_SEND);
    struct error err = { 0 };
    (void)unused;

    assert_true(journal_append(journal, RECORD_NOTE, facts, &err));
    journal_free(journal);
    read_file(bytes);
    memset(bytes + strlen(bytes) - 4, 0, 4);
    write_file(bytes, SIZE);
    journal = open_side(SIDE_SEND);
    append(journal, RECORD_PAUSING);
    journal_free(journal);
    read_file(bytes);
    assert_int_equal(strlen(bytes), line_at(bytes, 2));
    assert_int_equal(verdict(bytes), RECORD_PAUSING);
}

static void takes_a_record_for_whole_that_lacks_but_its_newline(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    struct journal *journal;
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING, RECORD_COMMIT);
    bytes[strlen(bytes) - 1] = '\0';
    write_file(bytes, SIZE);
    journal = open_side(SIDE_SEND);
    assert_int_equal(journal_last(journal), RECORD_COMMIT);
    assert_refused(journal, RECORD_ABORTED, ERROR_REFUSED, "cannot follow COMMIT");
    append(journal, RECORD_DONE);
    journal_free(journal);
    assert_last(SIDE_SEND, RECORD_DONE);
}

/* Any one byte of the text, changed into any other that could matter. */
static void never_says_anything_else_after_a_byte_has_changed(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING, RECORD_NOTE, RECORD_COMMIT);
    for (size_t i = 0, length = strlen(bytes); i < length; i++) {
        const char was = bytes[i];
        const char others[] = { (char)(was ^ 1),
                                (char)(was ^ 2),
                                (char)(was ^ 4),
                                (char)(was ^ 8),
                                (char)(was ^ 0x10),
                                (char)(was ^ 0x20),
                                (char)(was ^ 0x40),
                                (char)(was ^ 0x80),
                                '\n',
                                ' ',
                                '{',
                                '}',
                                '\0' };

        for (size_t k = 0; k < sizeof(others); k++) {
            bool only_newline_lost = i == length - 1 && others[k] == '\0';

            bytes[i] = others[k];
            if (verdict(bytes) != (others[k] == was || only_newline_lost ? RECORD_COMMIT : -1))
                fail_msg("byte %zu from %02x to %02x goes unnoticed", i, was, others[k]);
        }
        bytes[i] = was;
    }
}

static void never_says_anything_else_when_empty_space_has_changed(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    size_t length;
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING, RECORD_COMMIT);
    length = strlen(bytes);
    for (size_t i = length; i < SIZE; i += 1 + (i - length) / 8) {
        bytes[i] = 'x';
        assert_int_equal(verdict(bytes), i == length ? RECORD_COMMIT : -1);
        bytes[i] = '\n';
        assert_int_equal(verdict(bytes), -1);
        bytes[i] = '\0';
    }
}

static void does_not_take_a_changed_newline_for_a_torn_record(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    size_t end;
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING, RECORD_COMMIT);
    end = strlen(bytes);
    bytes[end - 1] = 'J';
    memcpy(bytes + end, bytes, 30); /* and a torn one really follows */
    write_file(bytes, SIZE);
    assert_unreadable("line 3");
}

static void proves_nothing_with_a_line_dropped(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE + 1);
    AUTO_FREE char *cut = calloc(1, SIZE);
    (void)unused;

    IMAGE(bytes, RECORD_NOTE, RECORD_PAUSING, RECORD_COMMIT);
    for (int n = 0; n < 3; n++) {
        memset(cut, 0, SIZE);
        memcpy(cut, bytes, line_at(bytes, n));
        strcat(cut, bytes + line_at(bytes, n + 1));
        write_file(cut, SIZE);
        assert_unreadable("checksum");
    }
}

static void proves_nothing_with_two_lines_swapped(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE + 1);
    AUTO_FREE char *swapped = calloc(1, SIZE);
    (void)unused;

    IMAGE(bytes, RECORD_NOTE, RECORD_NOTE, RECORD_PAUSING);
    memcpy(swapped, bytes, line_at(bytes, 1));
    strncat(swapped, bytes + line_at(bytes, 2), line_at(bytes, 3) - line_at(bytes, 2));
    strncat(swapped, bytes + line_at(bytes, 1), line_at(bytes, 2) - line_at(bytes, 1));
    strcat(swapped, bytes + line_at(bytes, 3));
    write_file(swapped, SIZE);
    assert_unreadable("line 2: its checksum is wrong");
}

static void proves_nothing_with_a_hole(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING, RECORD_COMMIT);
    memset(bytes + line_at(bytes, 2), 0, 20);
    write_file(bytes, SIZE);
    assert_unreadable("hole");
}

static void proves_nothing_when_cut_short_even_between_records(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING, RECORD_COMMIT);
    write_file(bytes, line_at(bytes, 2));
    assert_unreadable("should have 65536");
}

static void proves_nothing_when_it_has_grown(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE + 1);
    (void)unused;

    IMAGE(bytes, RECORD_PAUSING);
    write_file(bytes, SIZE + 1);
    assert_unreadable("should have 65536");
}

static void proves_nothing_when_all_is_gone(void **unused)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    (void)unused;

    journal_free(CREATE(SIDE_SEND));
    write_file(bytes, SIZE);
    assert_unreadable("lost records");
}

static void proves_nothing_under_another_name(void **unused)
{
    AUTO_FREE char *send = NULL;
    AUTO_FREE char *recv = NULL;
    (void)unused;

    journal_free(CREATE(SIDE_SEND));
    send = strdup(path_of(ID, SIDE_SEND));
    recv = strdup(path_of(ID, SIDE_RECV));
    assert_int_equal(rename(send, recv), 0);
    assert_unreadable_by(&here, SIDE_RECV, "line 1: its checksum is wrong");
}

static void proves_nothing_on_another_machine(void **unused)
{
    (void)unused;
    journal_free(CREATE(SIDE_SEND, RECORD_PAUSING));
    assert_unreadable_by(&elsewhere, SIDE_SEND, "written on another machine");
}

static void proves_nothing_as_a_symbolic_link(void **unused)
{
    AUTO_FREE char *path = NULL;
    AUTO_FREE char *away = NULL;
    (void)unused;

    journal_free(CREATE(SIDE_SEND));
    path = strdup(path_of(ID, SIDE_SEND));
    away = strdup(path_of(ID, SIDE_RECV));
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(symlink(away, path), 0);
    assert_unreadable("Too many levels of symbolic links");
}

/* What only a forger writes: good checksums over the JSON `bodies`, which end with NULL. */
static void assert_forgery_fails(const char *const *bodies, const char *words)
{
    AUTO_FREE char *bytes = calloc(1, SIZE);
    char chain[24] = ID "/send";
    struct journal_text text;
    struct error err = { 0 };

    for (; *bodies; bodies++) {
        journal_checksum(chain, *bodies, strlen(*bodies), chain);
        strcat(strcat(strcat(strcat(bytes, chain), " "), *bodies), "\n");
    }
    assert_false(journal_parse(bytes, SIZE, &owner, &text, &err));
    assert_says(err.text, words);
}

#define BODY(seq, record)                                                                          \
    "{\"seq\":" seq ",\"record\":\"" record "\",\"time\":\"t\","                                   \
    "\"machine\":\"11111111111111111111111111111111\",\"boot\":\"b\",\"pid\":1}"
#define FORGERY(words, ...) assert_forgery_fails((const char *const[]){ __VA_ARGS__, NULL }, words)

static void believes_no_checksum_that_covers_nonsense(void **unused)
{
    (void)unused;
    FORGERY("line 2: its number is 3", BODY("1", "BEGIN"), BODY("3", "PAUSING"));
    FORGERY("line 1: its number is 2", BODY("2", "BEGIN"));
    FORGERY("line 1: PAUSING after NONE", BODY("1", "PAUSING"));
    FORGERY("line 1: NOTE after NONE", BODY("1", "NOTE"));
    FORGERY("line 2: COMMIT after BEGIN", BODY("1", "BEGIN"), BODY("2", "COMMIT"));
    FORGERY("line 2: OWNED after BEGIN", BODY("1", "BEGIN"), BODY("2", "OWNED"));
    FORGERY("line 1: unknown record 'NONE'", BODY("1", "NONE"));
    FORGERY("line 1: unknown record 'START'", BODY("1", "START"));
    FORGERY("line 1: 'machine' is missing", "{\"seq\":1,\"record\":\"BEGIN\"}");
    FORGERY("line 1: JSON, but not an object", "[1]");
    FORGERY("line 1: not JSON", "{\"seq\":");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ignores_every_beginning_of_a_record_and_writes_over_it),
        TEST(leaves_nothing_of_a_torn_record_that_was_longer_than_the_next),
        TEST(takes_a_record_for_whole_that_lacks_but_its_newline),
        TEST(never_says_anything_else_after_a_byte_has_changed),
        TEST(never_says_anything_else_when_empty_space_has_changed),
        TEST(does_not_take_a_changed_newline_for_a_torn_record),
        TEST(proves_nothing_with_a_line_dropped),
        TEST(proves_nothing_with_two_lines_swapped),
        TEST(proves_nothing_with_a_hole),
        TEST(proves_nothing_when_cut_short_even_between_records),
        TEST(proves_nothing_when_it_has_grown),
        TEST(proves_nothing_when_all_is_gone),
        TEST(proves_nothing_under_another_name),
        TEST(proves_nothing_on_another_machine),
        TEST(proves_nothing_as_a_symbolic_link),
        TEST(believes_no_checksum_that_covers_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

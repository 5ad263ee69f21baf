/* What a record holds, and the room that is kept for those to come. */
#include "tests/unit/journal-scene.h"

static const struct identity rebooted = { "11111111111111111111111111111111", "boot-b" };

static void remembers_facts_and_who_wrote_them(void **unused)
{
    AUTO_JSON cJSON *facts = cJSON_Parse("{\"guest\":\"web\\n\\u00e9\",\"disks\":[1,2]}");
    struct error err = { 0 };
    struct journal *journal = journal_create(state_dir, ID, SIDE_SEND, &here, facts, &err);
    const cJSON *begin;
    struct tm utc;
    (void)unused;

    assert_non_null(journal);
    journal_free(journal);
    journal = open_side(SIDE_SEND);
    begin = journal_find(journal, RECORD_BEGIN);
    assert_int_equal(cJSON_GetArraySize(journal_records(journal)), 1);
    assert_string_equal(json_string_or(begin, "guest", ""), "web\n\xc3\xa9");
    assert_int_equal(cJSON_GetArraySize(json_array(begin, "disks", &err)), 2);
    assert_int_equal(json_uint_or(begin, "seq", 0), 1);
    assert_int_equal(json_uint_or(begin, "pid", 0), getpid());
    assert_string_equal(json_string_or(begin, "record", ""), "BEGIN");
    assert_string_equal(json_string_or(begin, "machine", ""), here.machine);
    assert_string_equal(json_string_or(begin, "boot", ""), here.boot);
    assert_string_equal(strptime(json_string_or(begin, "time", ""), "%FT%T.", &utc) + 3, "Z");
    journal_free(journal);
}

static void lets_no_fact_pass_for_what_only_it_may_say(void **unused)
{
    AUTO_JSON cJSON *facts = cJSON_Parse("{\"Machine\":\"another\"}");
    struct journal *journal = CREATE(SIDE_SEND);
    struct error err = { 0 };
    (void)unused;

    assert_false(journal_append(journal, RECORD_NOTE, facts, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    append(journal, RECORD_PAUSING);
    journal_free(journal);
}

static void tells_notes_from_what_has_been_promised(void **unused)
{
    struct journal *journal = CREATE(SIDE_SEND, RECORD_NOTE, RECORD_PAUSING, RECORD_NOTE);
    (void)unused;

    assert_int_equal(journal_last(journal), RECORD_PAUSING);
    assert_true(journal_has(journal, RECORD_NOTE));
    assert_false(journal_has(journal, RECORD_COMMIT));
    assert_int_equal(json_uint_or(journal_find(journal, RECORD_NOTE), "seq", 0), 2);
    assert_null(journal_find(journal, RECORD_COMMIT));
    assert_int_equal(journal_side(journal), SIDE_SEND);
    assert_string_equal(journal_id(journal), ID);
    assert_string_equal(journal_path(journal), path_of(ID, SIDE_SEND));
    journal_free(journal);
}

static void lends_a_record_for_as_long_as_it_lives(void **unused)
{
    struct journal *journal = CREATE(SIDE_SEND);
    const cJSON *begin = journal_find(journal, RECORD_BEGIN);
    (void)unused;

    append(journal, RECORD_PAUSING);
    assert_ptr_equal(journal_find(journal, RECORD_BEGIN), begin);
    assert_string_equal(json_string_or(begin, "record", ""), "BEGIN");
    journal_free(journal);
}

static void refuses_what_may_not_follow(void **unused)
{
    struct journal *journal = CREATE(SIDE_SEND);
    (void)unused;

    assert_refused(journal, RECORD_COMMIT, ERROR_REFUSED, "COMMIT cannot follow BEGIN");
    assert_refused(journal, RECORD_OWNED, ERROR_REFUSED, "OWNED cannot follow BEGIN");
    journal_free(journal);
    assert_last(SIDE_SEND, RECORD_BEGIN);
}

static void knows_whether_the_machine_has_been_started_since(void **unused)
{
    enum journal_health health;
    struct error err = { 0 };
    struct journal *journal = CREATE(SIDE_SEND, RECORD_PAUSING);
    (void)unused;

    assert_false(journal_rebooted_since(journal, journal_find(journal, RECORD_PAUSING)));
    journal_free(journal);
    journal = journal_open(state_dir, ID, SIDE_SEND, &rebooted, &health, &err);
    assert_true(journal_rebooted_since(journal, journal_find(journal, RECORD_PAUSING)));
    append(journal, RECORD_ABORTED);
    assert_true(journal_rebooted_since(journal, journal_find(journal, RECORD_BEGIN)));
    assert_false(journal_rebooted_since(journal, journal_find(journal, RECORD_ABORTED)));
    journal_free(journal);
}

/* Until not even a note of `size` bytes fits. */
static void note_until_full(struct journal *journal, size_t size)
{
    AUTO_JSON cJSON *facts = big_facts(size);
    struct error err = { 0 };

    while (journal_append(journal, RECORD_NOTE, facts, &err))
        ;
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_says(err.text, "no room");
}

/* The longest way through a journal that there is, with a reason of `size` bytes each time. */
static void walk_to_the_end(struct journal *journal, size_t size)
{
    static const enum record way[] = { RECORD_PREPARED, RECORD_WORD,         RECORD_OWNED,
                                       RECORD_RESUMING, RECORD_RELINQUISHED, RECORD_DESTROYED,
                                       RECORD_CLOSED };
    AUTO_JSON cJSON *facts = big_facts(size);
    struct error err = { 0 };

    for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++)
        if (!journal_append(journal, way[i], facts, &err))
            fail_msg("with %zu bytes: %s", size, err.text);
}

static void keeps_room_for_the_last_words_whatever_is_noted(void **unused)
{
    (void)unused;
    for (size_t size = 500; size < 8000; size += 300) {
        struct journal *journal = CREATE(SIDE_RECV);
        size_t said;

        note_until_full(journal, 6000);
        note_until_full(journal, 100);
        walk_to_the_end(journal, size);
        said = strlen(json_string_or(journal_find(journal, RECORD_PREPARED), "reason", ""));
        assert_int_equal(said, size < 3800 ? size : said);
        assert_true(json_true(journal_find(journal, RECORD_CLOSED), "facts_left_out"));
        journal_free(journal);
        assert_last(SIDE_RECV, RECORD_CLOSED);
        unlink(path_of(ID, SIDE_RECV));
    }
}

static void refuses_a_beginning_that_takes_the_room_of_the_end(void **unused)
{
    AUTO_JSON cJSON *facts = big_facts(SIZE - 8 * 1024);
    struct error err = { 0 };
    (void)unused;

    assert_null(journal_create(state_dir, ID, SIDE_SEND, &here, facts, &err));
    assert_says(err.text, "no room");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(remembers_facts_and_who_wrote_them),
        TEST(lets_no_fact_pass_for_what_only_it_may_say),
        TEST(tells_notes_from_what_has_been_promised),
        TEST(lends_a_record_for_as_long_as_it_lives),
        TEST(refuses_what_may_not_follow),
        TEST(knows_whether_the_machine_has_been_started_since),
        TEST(keeps_room_for_the_last_words_whatever_is_noted),
        TEST(refuses_a_beginning_that_takes_the_room_of_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

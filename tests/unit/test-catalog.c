/* The list of stages, as it must be whoever adds one to it. */
#include "xmig/stage.h"

#include "tests/unit/helpers.h"

static size_t count(void)
{
    size_t n = 0;

    while (stage_catalog[n])
        n++;
    return n;
}

/* Its place in the list; count(): it is not there. */
static size_t place_of(const char *name)
{
    size_t i = 0;

    while (stage_catalog[i] && strcmp(stage_catalog[i]->name, name) != 0)
        i++;
    return i;
}

static void goes_through_the_six_stages_in_their_order(void **unused)
{
    const char *const names[] = { "params-copy",      "qemu-defer-start", "drive-mirror",
                                  "block-ready-wait", "ram-stream",       "incoming-resume" };
    (void)unused;

    for (size_t i = 0; i < 6; i++) {
        assert_true(place_of(names[i]) < count());
        if (i > 0)
            assert_true(place_of(names[i - 1]) < place_of(names[i]));
    }
}

static void has_no_more_stages_than_a_migration_has_room_for(void **unused)
{
    (void)unused;

    assert_true(count() <= MIGRATION_STAGES_MAX);
}

static void every_stage_comes_after_those_it_needs(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < count(); i++) {
        assert_non_null(stage_catalog[i]->after);
        for (const char *const *name = stage_catalog[i]->after; *name; name++)
            if (place_of(*name) >= i)
                fail_msg("%s comes after %s", *name, stage_catalog[i]->name);
    }
}

static void no_stage_needs_one_that_may_be_left_out_unless_it_may_be_too(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < count(); i++)
        for (const char *const *name = stage_catalog[i]->after; *name; name++)
            if (stage_find(*name)->optional && !stage_catalog[i]->optional)
                fail_msg("%s needs %s", stage_catalog[i]->name, *name);
}

static void no_two_stages_have_the_same_name(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < count(); i++)
        assert_int_equal(place_of(stage_catalog[i]->name), i);
}

/* A name is also a word of --fault and --until, and of the final report. */
static void every_name_is_a_short_word(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < count(); i++) {
        const char *name = stage_catalog[i]->name;

        assert_in_range(strlen(name), 1, sizeof(((struct fault *)NULL)->point) - 1);
        assert_in_range(strlen(name), 1, sizeof(((struct result *)NULL)->stage) - 1);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(name));
        assert_int_equal(record_from_name(name), RECORD_NONE);
    }
}

static void every_stage_says_what_it_does(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < count(); i++) {
        const struct stage *stage = stage_catalog[i];

        assert_non_null(stage->summary);
        assert_true(stage->send_summary || !stage->send.run);
        assert_true(stage->recv_summary || !stage->recv.run);
        assert_true(stage->send_summary || stage->recv_summary);
    }
}

static void every_half_with_something_to_leave_has_it_on_the_other_ways_out_too(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < count(); i++) {
        const struct stage *stage = stage_catalog[i];
        const struct stage_half *const halves[] = { &stage->send, &stage->recv };

        for (int side = 0; side < 2; side++) {
            if (!halves[side]->leave)
                continue;
            assert_non_null(halves[side]->undo);
            assert_non_null(halves[side]->finish);
        }
    }
}

static void no_stage_says_what_may_be_said_always(void **unused)
{
    const char *const always[] = { "hello", "alive",   "checked", "done",
                                   "abort", "goodbye", "verdict", "settled" };
    (void)unused;

    for (size_t i = 0; i < count(); i++)
        for (const struct message_rule *rule = stage_catalog[i]->messages; rule && rule->type;
             rule++)
            for (size_t j = 0; j < sizeof(always) / sizeof(always[0]); j++)
                assert_string_not_equal(rule->type, always[j]);
}

static void finds_every_stage_by_its_name_and_no_other(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < count(); i++)
        assert_ptr_equal(stage_find(stage_catalog[i]->name), stage_catalog[i]);
    assert_null(stage_find("warp-drive"));
    assert_null(stage_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_through_the_six_stages_in_their_order),
        cmocka_unit_test(has_no_more_stages_than_a_migration_has_room_for),
        cmocka_unit_test(every_stage_comes_after_those_it_needs),
        cmocka_unit_test(no_stage_needs_one_that_may_be_left_out_unless_it_may_be_too),
        cmocka_unit_test(no_two_stages_have_the_same_name),
        cmocka_unit_test(every_name_is_a_short_word),
        cmocka_unit_test(every_stage_says_what_it_does),
        cmocka_unit_test(every_half_with_something_to_leave_has_it_on_the_other_ways_out_too),
        cmocka_unit_test(no_stage_says_what_may_be_said_always),
        cmocka_unit_test(finds_every_stage_by_its_name_and_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

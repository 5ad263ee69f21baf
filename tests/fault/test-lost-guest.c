/* A machine is reset, a guest lost, started by hand, or found running where it should not. */
#include "scene.h"

static void a_target_reset_while_prepared_gives_the_guest_back(void **unused)
{
    SCENE;
    world_send_with(&world, "PREPARED:after:recv:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_RECV);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_done(&world);
}

static void after_a_reset_what_looks_like_the_copy_is_not_it(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_RECV);
    put(&world, SIDE_RECV, RUN_PAUSED);
    world.unreachable_after_commit = world.unreachable = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_done(&world);
}

static void a_target_reset_between_owned_and_resuming_gives_the_guest_back(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:after:recv:crash", &result);
    world_join(&world);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    world_reset(&world, SIDE_RECV);
    world.unreachable_after_commit = world.unreachable = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_replay(&world, SIDE_RECV);
    world_done(&world);
}

static void a_target_reset_after_resuming_owns_a_guest_that_runs_nowhere(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "RESUMING:after:recv:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_RECV);
    world.unreachable_after_commit = world.unreachable = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_NOWHERE);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_LOST);
    world_done(&world);
}

/* The target owned it, and was reset when it might run already. */
static void lose_the_target(struct world *world)
{
    struct result result;

    world->unreachable_after_commit = true;
    world_send_with(world, "RESUMING:after:recv:crash", &result);
    world_join(world);
    world_reset(world, SIDE_RECV);
    world->unreachable_after_commit = world->unreachable = false;
    assert_int_equal(recover_at(world, SIDE_SEND, plain), OUTCOME_NOWHERE);
    assert_int_equal(world_last_record(world, SIDE_RECV), RECORD_LOST);
}

static void assert_both_closed(const struct world *world)
{
    assert_int_equal(world_state(world, SIDE_SEND), RUN_GONE);
    assert_int_equal(world_last_record(world, SIDE_SEND), RECORD_CLOSED);
    assert_int_equal(world_last_record(world, SIDE_RECV), RECORD_CLOSED);
}

static void a_lost_guest_that_was_started_by_hand_is_moved_the_target_asked_first(void **unused)
{
    cJSON *again;
    SCENE;
    lose_the_target(&world);
    world_mark(&world, SIDE_RECV, "again", true);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_DONE);
    again = world_fact(&world, SIDE_RECV, FACT_RUNS_AGAIN);
    assert_string_equal(json_string_or(again, "who", ""), "a simulated process");
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    world_join(&world);
    assert_both_closed(&world);
    cJSON_Delete(again);
    world_done(&world);
}

static void a_lost_guest_that_was_started_by_hand_is_moved_the_source_asked_first(void **unused)
{
    SCENE;
    lose_the_target(&world);
    world_mark(&world, SIDE_RECV, "again", true);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    world_join(&world);
    assert_both_closed(&world);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_DONE);
    world_done(&world);
}

static void a_lost_guest_is_closed_when_a_person_has_seen_to_it(void **unused)
{
    static const struct recover_options closing = { .close = true, .word = true };
    static const struct recover_options unconfirmed = { .close = true };
    SCENE;

    lose_the_target(&world);
    world_recover(&world, SIDE_SEND, unconfirmed, &result);
    assert_int_equal(result.outcome, OUTCOME_NOWHERE);
    assert_true(result.unproven);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);
    assert_int_equal(recover_at(&world, SIDE_SEND, closing), OUTCOME_DONE);
    world_join(&world);
    world_fault(&world, "CLOSED:before:recv");
    assert_int_equal(recover_at(&world, SIDE_RECV, closing), OUTCOME_NOWHERE);
    world_fault(&world, "");
    assert_int_equal(recover_at(&world, SIDE_RECV, closing), OUTCOME_DONE);
    assert_both_closed(&world);
    world_done(&world);
}

static void closing_is_no_way_out_of_a_doubt(void **unused)
{
    static const struct recover_options closing = { .close = true, .word = true };
    SCENE;

    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world.unreachable = true;
    assert_int_equal(recover_at(&world, SIDE_SEND, closing), OUTCOME_UNDECIDED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    world.unreachable = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    world_done(&world);
}

static void a_guest_found_running_against_its_journal_is_reported_and_left_alone(void **unused)
{
    SCENE;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    put(&world, SIDE_SEND, RUN_RUNNING);
    world_recover(&world, SIDE_SEND, on_my_word, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "runs here although");
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);
    put(&world, SIDE_SEND, RUN_PAUSED);
    recover_at(&world, SIDE_SEND, plain);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_reset_while_prepared_gives_the_guest_back),
        cmocka_unit_test(after_a_reset_what_looks_like_the_copy_is_not_it),
        cmocka_unit_test(a_target_reset_between_owned_and_resuming_gives_the_guest_back),
        cmocka_unit_test(a_target_reset_after_resuming_owns_a_guest_that_runs_nowhere),
        cmocka_unit_test(a_lost_guest_that_was_started_by_hand_is_moved_the_target_asked_first),
        cmocka_unit_test(a_lost_guest_that_was_started_by_hand_is_moved_the_source_asked_first),
        cmocka_unit_test(a_lost_guest_is_closed_when_a_person_has_seen_to_it),
        cmocka_unit_test(closing_is_no_way_out_of_a_doubt),
        cmocka_unit_test(a_guest_found_running_against_its_journal_is_reported_and_left_alone),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

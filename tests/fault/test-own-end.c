/* A guest that turns itself off while it is moved, or that somebody stops: nothing of ours keeps it
 * from running, so nothing of ours lets it run, and whoever asks is told why it does not.
 */
#include "scene.h"

static void assert_both_closed(struct world *world)
{
    world_join(world);
    assert_int_equal(world_state(world, SIDE_RECV), RUN_GONE);
    assert_int_equal(world_last_record(world, SIDE_SEND), RECORD_CLOSED);
    assert_int_equal(world_last_record(world, SIDE_RECV), RECORD_CLOSED);
}

static void a_guest_that_turns_itself_off_while_it_is_copied_leaves_nothing_to_settle(void **unused)
{
    SCENE;
    world_mark(&world, SIDE_SEND, "ended", true);
    assert_int_equal(world_send_with(&world, "drive-mirror:end:send", &result), OUTCOME_NOWHERE);
    assert_string_equal(result.stopped, "it has turned itself off");
    assert_both_closed(&world);
    world_done(&world);
}

static void a_guest_that_somebody_stops_while_it_is_copied_leaves_nothing_to_settle(void **unused)
{
    SCENE;
    world_mark(&world, SIDE_SEND, "stopped", true);
    assert_int_equal(world_send_with(&world, "ram-stream:begin:send", &result), OUTCOME_PAUSED);
    assert_string_equal(result.stopped, "somebody has stopped it");
    assert_both_closed(&world);
    world_done(&world);
}

static void recover_tells_why_a_guest_does_not_run_here(void **unused)
{
    SCENE;
    world_mark(&world, SIDE_SEND, "stopped", true);
    world_send_with(&world, "drive-mirror:end:send:crash", &result);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_PAUSED);
    assert_string_equal(result.stopped, "somebody has stopped it");
    assert_string_equal(result.error.text, "");
    assert_both_closed(&world);
    world_done(&world);
}

static void recover_tells_that_a_guest_has_turned_itself_off(void **unused)
{
    SCENE;
    world_mark(&world, SIDE_SEND, "ended", true);
    world_send_with(&world, "drive-mirror:end:send:crash", &result);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_NOWHERE);
    assert_string_equal(result.stopped, "it has turned itself off");
    assert_both_closed(&world);
    world_done(&world);
}

/* Which is ours to be told, whatever became of the copy that was handed over. */
static void a_guest_that_died_at_the_target_is_not_told_as_stopped_here(void **unused)
{
    SCENE_AT(RECORD_COMMIT, "stopped");
    world.unreachable_after_commit = true;
    world_send_with(&world, "RESUMING:after:recv:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_RECV);
    world.unreachable_after_commit = false;
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_NOWHERE);
    assert_string_equal(result.stopped, "");
    assert_says(result.error.text, "its copy has died");
    world_done(&world);
}

static void a_guest_that_ends_after_its_pause_leaves_the_choice_to_a_person(void **unused)
{
    SCENE_AT(RECORD_PAUSING, "ended");
    assert_int_equal(world_send_with(&world, "COMMIT:before:send", &result), OUTCOME_UNDECIDED);
    assert_true(result.choice);
    assert_int_equal(result.state, RUN_GONE);
    assert_says(result.error.text, "the target has a complete copy");
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PAUSING);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    world_recover(&world, SIDE_SEND, (struct recover_options){ .back = true }, &result);
    assert_int_equal(result.outcome, OUTCOME_NOWHERE);
    world_done(&world);
}

static void a_choice_is_found_though_the_connection_has_been_lost(void **unused)
{
    SCENE_AT(RECORD_PAUSING, "ended");
    assert_int_equal(world_send_with(&world, "PREPARED:after:recv:lose", &result),
                     OUTCOME_UNDECIDED);
    assert_true(result.choice);
    assert_says(result.error.text, "the target has a complete copy");
    assert_int_equal(recover_at(&world, SIDE_SEND, back), OUTCOME_NOWHERE);
    world_done(&world);
}

static void a_guest_that_ends_before_the_target_has_all_of_it_leaves_no_choice(void **unused)
{
    SCENE_AT(RECORD_PAUSING, "ended");
    assert_int_equal(world_send_with(&world, "ram-stream:end:recv", &result), OUTCOME_NOWHERE);
    assert_false(result.choice);
    assert_both_closed(&world);
    world_done(&world);
}

static void a_guest_that_was_started_again_after_its_pause_leaves_no_choice(void **unused)
{
    SCENE_AT(RECORD_PAUSING, "ended", "again");
    assert_int_equal(world_send_with(&world, "COMMIT:before:send", &result), OUTCOME_ROLLED_BACK);
    assert_false(result.choice);
    assert_string_equal(result.again, "a simulated process");
    assert_both_closed(&world);
    world_done(&world);
}

static void a_guest_that_was_started_again_is_not_told_as_ended(void **unused)
{
    SCENE;
    world_mark(&world, SIDE_SEND, "ended", true);
    world_send_with(&world, "drive-mirror:end:send:crash", &result);
    world_mark(&world, SIDE_SEND, "again", true);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_string_equal(result.again, "a simulated process");
    assert_string_equal(result.stopped, "");
    assert_both_closed(&world);
    world_done(&world);
}

static void of_a_settled_migration_recover_tells_where_the_guest_is(void **unused)
{
    SCENE;
    world_send_with(&world, "drive-mirror:end:send", &result);
    assert_both_closed(&world);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    world_mark(&world, SIDE_SEND, "stopped", true);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_PAUSED);
    world_mark(&world, SIDE_SEND, "ended", true);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_NOWHERE);
    world_done(&world);
}

static void with_shared_images_and_a_dead_target_a_stopped_guest_is_told_as_stopped(void **unused)
{
    static const char *const without[] = { "drive-mirror", "block-ready-wait", NULL };
    SCENE;

    world.options.without = without;
    world.options.vm.mirrors_disks = false;
    world.options.lease_ms = 1;
    world_send_with(&world, "ram-stream:end:send:crash", &result);
    world_join(&world);
    world.unreachable = true;
    world_mark(&world, SIDE_SEND, "stopped", true);
    world_recover(&world, SIDE_SEND, (struct recover_options){ .peer_is_dead = true }, &result);
    assert_int_equal(result.outcome, OUTCOME_PAUSED);
    assert_string_equal(result.stopped, "somebody has stopped it");
    world_done(&world);
}

/* Whatever the target has is of no use: nobody needs to be asked, nor heard. */
static void a_guest_that_ended_before_its_pause_needs_no_choice(void **unused)
{
    SCENE;
    world_send_with(&world, "drive-mirror:end:send:crash", &result);
    world_reset(&world, SIDE_SEND);
    world.unreachable = true;
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_NOWHERE);
    world.unreachable = false;
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_both_closed(&world);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_that_turns_itself_off_while_it_is_copied_leaves_nothing_to_settle),
        cmocka_unit_test(a_guest_that_somebody_stops_while_it_is_copied_leaves_nothing_to_settle),
        cmocka_unit_test(recover_tells_why_a_guest_does_not_run_here),
        cmocka_unit_test(recover_tells_that_a_guest_has_turned_itself_off),
        cmocka_unit_test(a_guest_that_died_at_the_target_is_not_told_as_stopped_here),
        cmocka_unit_test(a_guest_that_ends_after_its_pause_leaves_the_choice_to_a_person),
        cmocka_unit_test(a_choice_is_found_though_the_connection_has_been_lost),
        cmocka_unit_test(a_guest_that_ends_before_the_target_has_all_of_it_leaves_no_choice),
        cmocka_unit_test(a_guest_that_was_started_again_after_its_pause_leaves_no_choice),
        cmocka_unit_test(a_guest_that_was_started_again_is_not_told_as_ended),
        cmocka_unit_test(of_a_settled_migration_recover_tells_where_the_guest_is),
        cmocka_unit_test(with_shared_images_and_a_dead_target_a_stopped_guest_is_told_as_stopped),
        cmocka_unit_test(a_guest_that_ended_before_its_pause_needs_no_choice),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

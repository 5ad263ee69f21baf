/* A person says that the other machine is dead: what that settles, and what it never does. */
#include "scene.h"

/* COMMIT is written, and the target is gone. */
static void lose_the_target(struct world *world)
{
    struct result result;

    world->options.lease_ms = 1;
    world_send_with(world, "COMMIT:after:send:crash", &result);
    world_join(world);
    world_reset(world, SIDE_RECV);
    world->unreachable = true;
}

static void on_the_operators_word_the_source_runs_without_a_target(void **unused)
{
    SCENE;
    (void)result;
    lose_the_target(&world);
    assert_int_equal(recover_at(&world, SIDE_SEND, on_my_word), OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_replay(&world, SIDE_SEND);
    world_done(&world);
}

static void a_word_that_cannot_be_written_is_told(void **unused)
{
    SCENE;
    lose_the_target(&world);
    world_fault(&world, "WORD:before:send");
    world_recover(&world, SIDE_SEND, on_my_word, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "--fault");
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    world_done(&world);
}

static void of_a_guest_that_has_ended_the_word_tells_so(void **unused)
{
    SCENE;
    lose_the_target(&world);
    world_mark(&world, SIDE_SEND, "ended", true);
    world_recover(&world, SIDE_SEND, on_my_word, &result);
    assert_int_equal(result.outcome, OUTCOME_NOWHERE);
    assert_says(result.stopped, "turned itself off");
    world_done(&world);
}

static void a_target_that_answers_knows_better_than_the_operator(void **unused)
{
    SCENE;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    assert_int_equal(recover_at(&world, SIDE_SEND, on_my_word), OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_GONE);
    world_done(&world);
}

static void a_target_that_comes_back_after_the_operators_word_drops_its_copy(void **unused)
{
    SCENE;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world.unreachable = true;
    assert_int_equal(recover_at(&world, SIDE_SEND, on_my_word), OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_WORD);
    world.unreachable = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_ROLLED_BACK);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    world_replay(&world, SIDE_RECV);
    world_done(&world);
}

static void a_wrong_word_of_the_operators_is_reported_when_the_target_is_heard(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    assert_int_equal(recover_at(&world, SIDE_RECV, on_my_word), OUTCOME_DONE);
    assert_int_equal(recover_at(&world, SIDE_SEND, on_my_word), OUTCOME_ROLLED_BACK);
    world.unreachable_after_commit = false;
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "stop one of them");
    world_done(&world);
}

/* The source dies behind the word, before its guest runs; then the target is heard, and runs it. */
static void a_wrong_word_lets_nothing_run_beside_a_target_that_is_heard_in_time(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    assert_int_equal(recover_at(&world, SIDE_RECV, on_my_word), OUTCOME_DONE);
    world_fault(&world, "WORD:after:send:crash");
    world_recover(&world, SIDE_SEND, on_my_word, &result);
    world_fault(&world, "");
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_WORD);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);

    world.unreachable_after_commit = false;
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "was said to be dead");
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_done(&world);
}

static void a_target_that_answers_is_not_dead(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "RESUMING:after:recv:crash", &result);
    world_join(&world);
    put(&world, SIDE_RECV, RUN_UNKNOWN);
    world.unreachable_after_commit = world.unreachable = false;
    world_recover(&world, SIDE_SEND, on_my_word, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "it answers");
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);
    world_done(&world);
}

static void a_target_that_is_dead_for_good_need_not_be_told(void **unused)
{
    SCENE;
    world.options.lease_ms = 1;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    world.unreachable = true;
    recover_at(&world, SIDE_SEND, on_my_word);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_ROLLED_BACK);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_WORD);
    assert_int_equal(recover_at(&world, SIDE_SEND, on_my_word), OUTCOME_ROLLED_BACK);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_done(&world);
}

static void recover_at_a_prepared_target_decides_nothing_by_itself(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    world.unreachable_after_commit = world.unreachable = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    world_done(&world);
}

static void on_the_operators_word_a_prepared_target_runs(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_SEND);
    assert_int_equal(recover_at(&world, SIDE_RECV, on_my_word), OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_replay(&world, SIDE_RECV);
    world_done(&world);
}

static void after_the_operators_word_a_copy_that_cannot_run_is_lost_and_not_told_as_running(
    void **unused)
{
    SCENE;
    world_mark(&world, SIDE_RECV, "unready", true);
    world_lose_all_but_the_copy(&world);
    world_recover(&world, SIDE_RECV, on_my_word, &result);
    assert_int_equal(result.outcome, OUTCOME_NOWHERE);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_LOST);
    assert_int_not_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_done(&world);
}

static void after_the_operators_word_a_failure_does_not_take_the_copy(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_SEND);
    world_fault(&world, "OWNED:before:recv");
    assert_int_equal(recover_at(&world, SIDE_RECV, on_my_word), OUTCOME_UNDECIDED);
    world_fault(&world, "");
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_WORD);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_DONE);
    world_done(&world);
}

static void the_operators_word_for_a_dead_copy_is_recorded_as_lost(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_SEND);
    world_fault(&world, "WORD:after:recv:crash");
    world_recover(&world, SIDE_RECV, on_my_word, &result);
    world_fault(&world, "");
    world_reset(&world, SIDE_RECV);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_NOWHERE);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_LOST);
    world_done(&world);
}

static void with_shared_images_the_operators_word_is_as_good_as_a_proof(void **unused)
{
    static const char *const without[] = { "drive-mirror", "block-ready-wait", NULL };
    SCENE;

    world.options.without = without;
    world.options.vm.mirrors_disks = false;
    world.options.lease_ms = 1;
    world_send_with(&world, "ram-stream:end:send:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_RECV);
    world.unreachable = true;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_PAUSED);
    assert_int_equal(recover_at(&world, SIDE_SEND, on_my_word), OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_the_operators_word_the_source_runs_without_a_target),
        cmocka_unit_test(a_word_that_cannot_be_written_is_told),
        cmocka_unit_test(of_a_guest_that_has_ended_the_word_tells_so),
        cmocka_unit_test(a_target_that_answers_knows_better_than_the_operator),
        cmocka_unit_test(a_target_that_comes_back_after_the_operators_word_drops_its_copy),
        cmocka_unit_test(a_wrong_word_of_the_operators_is_reported_when_the_target_is_heard),
        cmocka_unit_test(a_target_that_answers_is_not_dead),
        cmocka_unit_test(a_wrong_word_lets_nothing_run_beside_a_target_that_is_heard_in_time),
        cmocka_unit_test(a_target_that_is_dead_for_good_need_not_be_told),
        cmocka_unit_test(recover_at_a_prepared_target_decides_nothing_by_itself),
        cmocka_unit_test(on_the_operators_word_a_prepared_target_runs),
        cmocka_unit_test(
            after_the_operators_word_a_copy_that_cannot_run_is_lost_and_not_told_as_running),
        cmocka_unit_test(after_the_operators_word_a_failure_does_not_take_the_copy),
        cmocka_unit_test(the_operators_word_for_a_dead_copy_is_recorded_as_lost),
        cmocka_unit_test(with_shared_images_the_operators_word_is_as_good_as_a_proof),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

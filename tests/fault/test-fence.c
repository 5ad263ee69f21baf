/* The fence, and the look for others: a service manager, or a colleague, starts the old copy at
 * the source again, and there are never two that run because of us.
 */
#include "scene.h"

static bool is_fenced(const struct world *world)
{
    struct machine machine;

    world_look(world, SIDE_SEND, &machine);
    return machine.fenced;
}

static void another_that_comes_before_go_leaves_it_unsaid(void **unused)
{
    SCENE_AT(RECORD_COMMIT, "another");
    world_send_with(&world, "", &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "another simulated VM");
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    assert_true(is_fenced(&world));

    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);

    world_mark(&world, SIDE_SEND, "another", false);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_GONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_done(&world);
}

static void what_cannot_be_fenced_is_taken_back_before_anything_was_said(void **unused)
{
    SCENE_AT(RECORD_COMMIT, "unfenceable");
    world_send_with(&world, "", &result);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_says(result.error.text, "cannot be fenced");
    assert_null(strstr(result.error.text, "gave the VM back")); /* at our word: that is not why */
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    assert_false(is_fenced(&world));
    world_done(&world);
}

/* The receiver's process, once; its successor finds that the guest cannot run there. */
static bool dies_as_it_owns(void *arg, enum record record, bool written)
{
    bool *dead = arg;
    bool dies = !*dead && written && record == RECORD_OWNED;

    *dead = *dead || dies;
    return !dies;
}

static void a_fence_comes_off_though_the_connection_is_lost_meanwhile(void **unused)
{
    bool dead = false;
    SCENE;

    world.options.fence_command = "true";
    world.options.patience_ms = 10000;
    world.hook[SIDE_RECV] = (struct journal_hook){ dies_as_it_owns, &dead };
    world_mark(&world, SIDE_RECV, "unready", true);
    assert_int_equal(world_send_with(&world, "PROOF:after:send:lose", &result),
                     OUTCOME_ROLLED_BACK);
    world_join(&world);
    assert_true(dead);
    assert_false(is_fenced(&world));
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    world_done(&world);
}

static void a_recover_takes_back_what_it_cannot_fence(void **unused)
{
    SCENE_AT(RECORD_COMMIT, "unfenceable");
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    world_done(&world);
}

/* To take the VM back, with nothing here to take it back to, would destroy the only copy. */
static void a_dead_copy_that_cannot_be_fenced_is_not_taken_back(void **unused)
{
    SCENE_AT(RECORD_COMMIT, "unfenceable");
    world_send_with(&world, "COMMIT:before:send:crash", &result);
    world_reset(&world, SIDE_SEND);
    world_recover(&world, SIDE_SEND, forward, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);

    world_mark(&world, SIDE_SEND, "unfenceable", false);
    world.hook[SIDE_SEND] = (struct journal_hook){ 0 };
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_done(&world);
}

/* What could still be given up knowingly stays so. */
static void forward_writes_no_commit_beside_another(void **unused)
{
    SCENE_AT(RECORD_CLOSED, "another");
    world_send_with(&world, "COMMIT:before:send:crash", &result);
    world_reset(&world, SIDE_SEND);
    world_mark(&world, SIDE_SEND, "another", true);
    world_recover(&world, SIDE_SEND, forward, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PAUSING);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    world_mark(&world, SIDE_SEND, "another", false);
    world_recover(&world, SIDE_SEND, forward, &result);
    assert_int_equal(result.outcome, OUTCOME_DONE);
    world_done(&world);
}

static void another_keeps_the_source_from_running_again(void **unused)
{
    SCENE_AT(RECORD_PAUSING, "another");
    world_send_with(&world, "ram-stream:end:recv:fail", &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);

    world_mark(&world, SIDE_SEND, "another", false);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_done(&world);
}

static void another_beside_a_guest_that_was_never_paused_does_not_matter(void **unused)
{
    SCENE_AT(RECORD_BEGIN, "another");
    world_mark(&world, SIDE_SEND, "another", true);
    world_send_with(&world, "ram-stream:begin:send:fail", &result);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_done(&world);
}

static void a_proof_does_not_let_the_source_run_beside_another(void **unused)
{
    SCENE_AT(RECORD_COMMIT, "another");
    world.options.lease_ms = 50;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PROOF);

    world_mark(&world, SIDE_SEND, "another", false);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_done(&world);
}

/* GO was said before it came: not DONE, and nothing is ended. */
static void another_beside_a_guest_that_runs_at_the_target_is_reported(void **unused)
{
    SCENE_AT(RECORD_OWNED, "another");
    world.hook[SIDE_RECV] = world.hook[SIDE_SEND];
    world_send_with(&world, "", &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);

    world_mark(&world, SIDE_SEND, "another", false);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_GONE);
    world_done(&world);
}

static void another_is_not_ended_with_the_old_copy(void **unused)
{
    SCENE_AT(RECORD_DONE, "another");
    world_send_with(&world, "DONE:after:send:crash", &result);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_DONE);
    world_done(&world);
}

/* Five tries: on a busy machine one may take long all the same. */
static void a_recover_that_decides_nothing_waits_for_no_goodbye(void **unused)
{
    enum {
        PARTING_MS = 3000 /* how long a session waits for one */
    };
    uint64_t quickest_ms = PARTING_MS;
    SCENE_AT(RECORD_COMMIT, "another");

    world_send_with(&world, "COMMIT:after:send:crash", &result);
    for (int i = 0; i < 5 && quickest_ms >= PARTING_MS; i++) {
        world_recover(&world, SIDE_SEND, plain, &result);
        assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
        quickest_ms = result.elapsed_ms;
    }
    assert_true(quickest_ms < PARTING_MS);
    world_mark(&world, SIDE_SEND, "another", false);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_DONE);
    world_done(&world);
}

/* ---- the source's process has ended, and its service manager starts it again ---- */

static void lose_the_source(struct world *world, const char *fault)
{
    struct result result;

    world_send_with(world, fault, &result);
    world_reset(world, SIDE_SEND);
}

static void one_that_is_started_again_before_commit_is_the_sources(void **unused)
{
    static const char *const faults[] = { "drive-mirror:end:send:crash", "PAUSING:after:send:crash",
                                          "COMMIT:before:send:crash" };

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        SCENE;
        lose_the_source(&world, faults[i]);
        world_mark(&world, SIDE_SEND, "again", true);
        world_recover(&world, SIDE_SEND, plain, &result);
        assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
        assert_string_equal(result.again, "a simulated process");
        world_join(&world);
        assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
        assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
        assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
        world_done(&world);
    }
}

static void one_that_is_started_again_after_commit_decides_nothing(void **unused)
{
    SCENE;
    lose_the_source(&world, "COMMIT:after:send:crash");
    world_mark(&world, SIDE_SEND, "again", true);
    world_mark(&world, SIDE_SEND, "another", true);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);

    world_mark(&world, SIDE_SEND, "again", false);
    world_mark(&world, SIDE_SEND, "another", false);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_DONE);
    world_done(&world);
}

/* Its fence has been taken off, and somebody was quicker than we. */
static void one_that_is_started_again_after_the_proof_is_the_sources(void **unused)
{
    SCENE;
    world.options.lease_ms = 50;
    lose_the_source(&world, "COMMIT:after:send:crash");
    world_join(&world);
    world_mark(&world, SIDE_SEND, "another", true);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PROOF);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);

    world_mark(&world, SIDE_SEND, "again", true);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_string_equal(result.again, "a simulated process");
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    world_done(&world);
}

/* … and before the fence was put up: it is the one that contests. */
static void one_that_is_started_again_is_the_sources_once_it_is_given_back(void **unused)
{
    SCENE;
    world.options.lease_ms = 50;
    lose_the_source(&world, "COMMIT:after:send:crash");
    world_join(&world);
    world_mark(&world, SIDE_SEND, "another", true);
    world_mark(&world, SIDE_SEND, "again", true);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_started_again_before_commit_is_the_sources),
        cmocka_unit_test(one_that_is_started_again_after_commit_decides_nothing),
        cmocka_unit_test(one_that_is_started_again_after_the_proof_is_the_sources),
        cmocka_unit_test(one_that_is_started_again_is_the_sources_once_it_is_given_back),
        cmocka_unit_test(another_that_comes_before_go_leaves_it_unsaid),
        cmocka_unit_test(what_cannot_be_fenced_is_taken_back_before_anything_was_said),
        cmocka_unit_test(a_fence_comes_off_though_the_connection_is_lost_meanwhile),
        cmocka_unit_test(a_recover_takes_back_what_it_cannot_fence),
        cmocka_unit_test(a_dead_copy_that_cannot_be_fenced_is_not_taken_back),
        cmocka_unit_test(forward_writes_no_commit_beside_another),
        cmocka_unit_test(another_keeps_the_source_from_running_again),
        cmocka_unit_test(another_beside_a_guest_that_was_never_paused_does_not_matter),
        cmocka_unit_test(a_proof_does_not_let_the_source_run_beside_another),
        cmocka_unit_test(another_beside_a_guest_that_runs_at_the_target_is_reported),
        cmocka_unit_test(another_is_not_ended_with_the_old_copy),
        cmocka_unit_test(a_recover_that_decides_nothing_waits_for_no_goodbye),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

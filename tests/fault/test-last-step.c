/* The target's last step, to let the guest run, goes wrong: what never ran is given back, and what
 * may have run is not.
 */
#include "scene.h"

#define SCENE_WITH(MARK)                                                                           \
    SCENE;                                                                                         \
    world_mark(&world, SIDE_RECV, MARK, true)

static void assert_given_back(struct world *world, const struct result *result)
{
    assert_int_equal(result->outcome, OUTCOME_ROLLED_BACK);
    world_join(world);
    assert_int_equal(world_state(world, SIDE_SEND), RUN_RUNNING);
    assert_int_equal(world_state(world, SIDE_RECV), RUN_GONE);
    assert_int_equal(world_last_record(world, SIDE_SEND), RECORD_CLOSED);
    assert_int_equal(world_last_record(world, SIDE_RECV), RECORD_CLOSED);
}

static void assert_handed_over(struct world *world, const struct result *result)
{
    assert_int_equal(result->outcome, OUTCOME_DONE);
    world_join(world);
    assert_int_equal(world_state(world, SIDE_SEND), RUN_GONE);
    assert_int_equal(world_state(world, SIDE_RECV), RUN_RUNNING);
}

static void a_target_that_cannot_let_it_run_gives_it_back(void **unused)
{
    SCENE_WITH("unresumable");
    world_send_with(&world, "", &result);
    assert_given_back(&world, &result);
    world_done(&world);
}

static void a_target_that_is_not_ready_for_it_gives_it_back(void **unused)
{
    SCENE_WITH("unready");
    world_send_with(&world, "", &result);
    assert_given_back(&world, &result);
    world_done(&world);
}

static void a_target_whose_host_does_not_answer_has_it_when_it_runs(void **unused)
{
    SCENE_WITH("silent");
    world_send_with(&world, "", &result);
    assert_handed_over(&world, &result);
    world_done(&world);
}

static void lose_the_receiver(struct world *world, const char *fault)
{
    struct result result;

    world->unreachable_after_commit = true;
    world_send_with(world, fault, &result);
    world_join(world);
    world->unreachable_after_commit = false;
}

static void an_owned_copy_that_cannot_run_after_a_crash_is_given_back(void **unused)
{
    SCENE_WITH("unresumable");
    lose_the_receiver(&world, "OWNED:after:recv:crash");
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_given_back(&world, &result);
    world_done(&world);
}

static void a_copy_that_may_have_run_before_a_crash_is_not_given_back(void **unused)
{
    SCENE_WITH("unresumable");
    lose_the_receiver(&world, "RESUMING:after:recv:crash");
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_RESUMING);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);

    world_mark(&world, SIDE_RECV, "unresumable", false);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_handed_over(&world, &result);
    world_done(&world);
}

static void a_copy_that_runs_after_a_crash_is_the_targets_whatever_its_host_said(void **unused)
{
    SCENE_WITH("silent");
    lose_the_receiver(&world, "RESUMING:after:recv:crash");
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_handed_over(&world, &result);
    world_done(&world);
}

/* ---- whether the copy has run cannot be told ---- */

static void what_may_have_run_is_not_given_back_at_the_end_of_the_lease(void **unused)
{
    SCENE_WITH("unknowable");
    world.options.lease_ms = 50;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    assert_int_equal(world_received(&world)->outcome, OUTCOME_UNDECIDED);
    assert_says(world_received(&world)->error.text, "is not known");
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);

    world_mark(&world, SIDE_RECV, "unknowable", false);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_handed_over(&world, &result);
    world_done(&world);
}

static void a_look_that_cannot_tell_decides_nothing(void **unused)
{
    SCENE_WITH("unknowable");
    world.options.lease_ms = 50;
    world_send_with(&world, "COMMIT:before:send:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_SEND);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "the target's answer is 'wait'");
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PAUSING);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    world_done(&world);
}

static void a_dead_receivers_copy_is_given_back_at_the_end_of_its_lease(void **unused)
{
    SCENE_WITH("nothing");
    lose_the_receiver(&world, "OWNED:before:recv:crash");
    world_recover(&world, SIDE_RECV, (struct recover_options){ .lease_is_over = true }, &result);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_given_back(&world, &result);
    world_done(&world);
}

/* Its GO takes half as long again as the lease. False: it came back too late, on a busy machine. */
static bool is_waited_for(uint64_t lease_ms)
{
    AUTO_FREE char *command = NULL;
    void *unused = NULL;
    SCENE;

    assert_true(asprintf(&command, "[ $XMIG_ACTION != fence ] || sleep %g",
                         (double)lease_ms * 1.5 / 1000) > 0);
    world.options.fence_command = command;
    world.options.lease_ms = lease_ms;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_recover(&world, SIDE_SEND, plain, &result);
    world_done(&world);
    return result.outcome == OUTCOME_DONE;
}

static void no_lease_runs_while_the_sender_is_back(void **unused)
{
    uint64_t lease_ms = 500;
    (void)unused;

    while (!is_waited_for(lease_ms)) {
        lease_ms *= 2;
        assert_true(lease_ms <= 4000);
    }
}

/* 1, 2, 4 … ms: it is not far from an answer. */
static void a_target_that_is_at_it_is_asked_again_soon(void **unused)
{
    SCENE_WITH("unresumable");
    lose_the_receiver(&world, "RESUMING:after:recv:crash");
    world.dials = 0;
    world.options.patience_ms = 2000;
    world.options.retry_ms = 100000;
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_true(world.dials > 2);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_that_cannot_let_it_run_gives_it_back),
        cmocka_unit_test(a_target_that_is_not_ready_for_it_gives_it_back),
        cmocka_unit_test(a_target_whose_host_does_not_answer_has_it_when_it_runs),
        cmocka_unit_test(an_owned_copy_that_cannot_run_after_a_crash_is_given_back),
        cmocka_unit_test(a_copy_that_may_have_run_before_a_crash_is_not_given_back),
        cmocka_unit_test(a_copy_that_runs_after_a_crash_is_the_targets_whatever_its_host_said),
        cmocka_unit_test(what_may_have_run_is_not_given_back_at_the_end_of_the_lease),
        cmocka_unit_test(a_look_that_cannot_tell_decides_nothing),
        cmocka_unit_test(a_dead_receivers_copy_is_given_back_at_the_end_of_its_lease),
        cmocka_unit_test(no_lease_runs_while_the_sender_is_back),
        cmocka_unit_test(a_target_that_is_at_it_is_asked_again_soon),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The target's last step, to let the guest run, goes wrong: what never ran is given back, and what
 * may have run is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "world.h"

static const struct recover_options plain = { 0 };

#define SCENE(MARK)                                                                                \
    struct world world;                                                                            \
    struct result result;                                                                          \
    (void)unused;                                                                                  \
    world_init(&world);                                                                            \
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
    SCENE("unresumable");
    world_send_with(&world, "", &result);
    assert_given_back(&world, &result);
    world_done(&world);
}

static void a_target_that_is_not_ready_for_it_gives_it_back(void **unused)
{
    SCENE("unready");
    world_send_with(&world, "", &result);
    assert_given_back(&world, &result);
    world_done(&world);
}

static void a_target_whose_host_does_not_answer_has_it_when_it_runs(void **unused)
{
    SCENE("silent");
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
    SCENE("unresumable");
    lose_the_receiver(&world, "OWNED:after:recv:crash");
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_given_back(&world, &result);
    world_done(&world);
}

static void a_copy_that_may_have_run_before_a_crash_is_not_given_back(void **unused)
{
    SCENE("unresumable");
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
    SCENE("silent");
    lose_the_receiver(&world, "RESUMING:after:recv:crash");
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_handed_over(&world, &result);
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
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The bounds that a move keeps: a deadline for all of it, and one for the guest's pause. */
#include "scene.h"

static void a_move_past_its_deadline_rolls_back(void **unused)
{
    SCENE;
    world.vm = "demo,disk-size=64G,ram=64K";
    world.options.deadline_ms = 20;
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_ROLLED_BACK);
    assert_int_equal(result.error.kind, ERROR_LIMIT);
    assert_says(result.error.text, "--deadline");
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    world_done(&world);
}

static uint64_t pause_ns(const struct machine *machine)
{
    return machine->runs[1][0] - machine->runs[0][1];
}

/* Nothing answers at the switch: the guest runs on here, soon. */
static void hang(const char *vm, uint64_t max_pause_ms)
{
    const uint64_t ms_ns = 1000000;
    struct world world;
    struct result result;
    struct machine machine;

    world_init(&world);
    world.vm = vm;
    world.options.max_pause_ms = max_pause_ms;
    world_send(&world, &result);
    world_join(&world);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_says(result.error.text, "longer than --max-pause permits (300 ms)");
    world_look(&world, SIDE_SEND, &machine);
    assert_int_equal(machine.state, RUN_RUNNING);
    assert_int_equal(machine.run_count, 2);
    assert_in_range(pause_ns(&machine), 300 * ms_ns, 10000 * ms_ns);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    world_done(&world);
}

static void a_drain_that_hangs_does_not_keep_the_guest(void **unused)
{
    (void)unused;
    hang("demo,disk-size=64K,ram=64K,hang=drain", 300);
}

static void a_target_that_hangs_at_the_switch_does_not_keep_the_guest(void **unused)
{
    (void)unused;
    hang("demo,disk-size=64K,ram=64K,hang=seal", 300);
}

static void a_target_that_flushes_too_slowly_does_not_see_the_guest_paused(void **unused)
{
    struct machine machine;
    SCENE;

    world.vm = "demo,disk-size=64K,ram=64K,flush=400";
    world.options.max_pause_ms = 700;
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_ROLLED_BACK);
    assert_says(result.error.text, "the VM was not paused");
    world_look(&world, SIDE_SEND, &machine);
    assert_int_equal(machine.state, RUN_RUNNING);
    assert_int_equal(machine.run_count, 1);
    world_done(&world);
}

static void a_target_that_flushes_fast_enough_gets_the_guest(void **unused)
{
    SCENE;
    world.vm = "demo,disk-size=64K,ram=64K,flush=100";
    world.options.max_pause_ms = 5000;
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_DONE);
    world_done(&world);
}

static bool note_commit(void *arg, enum record record, bool written)
{
    bool *committed = arg;

    *committed = *committed || (written && record == RECORD_COMMIT);
    return true;
}

/* The guest is not ours to let run, however long it takes. False: there was no COMMIT within the
 * bound, on a busy machine.
 */
static bool stays_committed_beyond(uint64_t max_pause_ms)
{
    bool committed = false;
    struct world world;
    struct result result;

    world_init(&world);
    world.options.max_pause_ms = max_pause_ms;
    world.options.patience_ms = 3 * max_pause_ms;
    world.unreachable_after_commit = true;
    world.hook[SIDE_SEND] = (struct journal_hook){ note_commit, &committed };
    world_send_with(&world, "OWNED:after:recv:crash", &result);
    if (committed) {
        assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
        assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
        assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);
    }
    world_done(&world);
    return committed;
}

static void after_commit_no_bound_brings_the_guest_back(void **unused)
{
    uint64_t bound_ms = 100;
    (void)unused;

    while (!stays_committed_beyond(bound_ms)) {
        bound_ms *= 2;
        assert_true(bound_ms < 20000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_past_its_deadline_rolls_back),
        cmocka_unit_test(a_drain_that_hangs_does_not_keep_the_guest),
        cmocka_unit_test(a_target_that_hangs_at_the_switch_does_not_keep_the_guest),
        cmocka_unit_test(a_target_that_flushes_too_slowly_does_not_see_the_guest_paused),
        cmocka_unit_test(a_target_that_flushes_fast_enough_gets_the_guest),
        cmocka_unit_test(after_commit_no_bound_brings_the_guest_back),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a person is told: of a failure, where and why it was; of a choice, what there is to choose;
 * and no warning of what went well.
 */
#include "scene.h"

#include <time.h>

/* What one side has told. */
struct told {
    char warnings[4096];
    uint64_t handshake_ms, resume_ms;
};

static void hear(void *arg, const struct event *event)
{
    struct told *told = arg;
    size_t length = strlen(told->warnings);

    if (event->kind == EVENT_WARNING)
        assert_string_not_equal(event->text, "");
    if (event->kind == EVENT_WARNING)
        snprintf(told->warnings + length, sizeof(told->warnings) - length, "%s\n", event->text);
    if (event->kind == EVENT_DOWNTIME && !strcmp(event->subject, "handshake"))
        told->handshake_ms = event->elapsed_ms;
    if (event->kind == EVENT_DOWNTIME && !strcmp(event->subject, "resume"))
        told->resume_ms = event->elapsed_ms;
}

static void a_refusal_names_its_stage_at_either_side(void **unused)
{
    SCENE;
    assert_int_equal(world_send_with(&world, "params-copy:check:recv", &result), OUTCOME_REFUSED);
    assert_string_equal(result.stage, "params-copy");
    assert_says(world.refusals, "\"stage\":\"params-copy\",\"side\":\"recv\"");
    world_done(&world);
    world_init(&world);
    assert_int_equal(world_send_with(&world, "drive-mirror:check:send", &result), OUTCOME_REFUSED);
    assert_string_equal(result.stage, "drive-mirror");
    assert_says(world.refusals, "\"side\":\"send\",\"stage\":\"drive-mirror\"");
    world_join(&world);
    assert_int_equal(world_received(&world)->error.kind, ERROR_REFUSED);
    world_done(&world);
}

static void what_both_sides_refuse_is_told_together(void **unused)
{
    static char nowhere[] = "/dev/null/nowhere";
    char *here;
    SCENE;

    here = world.state_dir[SIDE_SEND];
    world.state_dir[SIDE_SEND] = nowhere;
    assert_int_equal(world_send_with(&world, "drive-mirror:check:recv", &result), OUTCOME_REFUSED);
    world.state_dir[SIDE_SEND] = here;
    assert_says(world.refusals, "cannot be kept in '/dev/null/nowhere'");
    assert_says(world.refusals, "\"stage\":\"drive-mirror\",\"side\":\"recv\"");
    world_done(&world);
}

static void a_failure_at_the_target_is_told_in_its_words(void **unused)
{
    SCENE;
    world_send_with(&world, "drive-mirror:end:recv", &result);
    assert_says(result.error.text, "--fault");
    world_done(&world);
}

static void a_target_that_cannot_write_its_refusal_ends_its_copy(void **unused)
{
    SCENE;
    world.options.until = "drive-mirror";
    world_send_with(&world, "REFUSED:before:recv", &result);
    world_join(&world);
    assert_false(world_received(&world)->crashed);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    world_done(&world);
}

static void a_target_whose_disk_fails_is_not_taken_for_a_crashed_one(void **unused)
{
    SCENE;
    world.options.until = "drive-mirror";
    world_send_with(&world, "DESTROYED:before:recv", &result);
    world_join(&world);
    assert_int_equal(world_received(&world)->outcome, OUTCOME_ROLLED_BACK);
    assert_false(world_received(&world)->crashed);
    world_done(&world);
}

static void lose_the_source_at_prepared(struct world *world)
{
    struct result result;

    world_send_with(world, "COMMIT:before:send:crash", &result);
    world_reset(world, SIDE_SEND);
}

static void a_choice_tells_what_there_is_to_choose(void **unused)
{
    SCENE;
    lose_the_source_at_prepared(&world);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_says(result.error.text, "the target has a complete copy");
    world_recover(&world, SIDE_SEND, (struct recover_options){ .back = true }, &result);
    world_done(&world);
}

static void where_there_is_no_choice_forward_says_so(void **unused)
{
    SCENE;
    world_send_with(&world, "COMMIT:before:send:crash", &result);
    world_recover(&world, SIDE_SEND, forward, &result);
    assert_says(result.error.text, "alive and the VM's own");
    world_recover(&world, SIDE_SEND, plain, &result);
    world_done(&world);

    world_init(&world);
    world_send_with(&world, "drive-mirror:end:send:crash", &result);
    world_recover(&world, SIDE_SEND, forward, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "there is no choice to be made");
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_BEGIN);
    world_recover(&world, SIDE_SEND, plain, &result);
    world_done(&world);
}

static void a_target_that_cannot_be_asked_without_a_decision_is_not_asked(void **unused)
{
    SCENE;
    world.options.lease_ms = 50;
    lose_the_source_at_prepared(&world);
    world.blind_peer = true;
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_true(result.choice);
    assert_says(result.error.text, "cannot be asked without a decision");
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PAUSING);
    world_done(&world);
}

static void a_target_that_cannot_decompress_is_told_of(void **unused)
{
    struct told here = { 0 };
    SCENE;
    world.events = (struct event_sink){ hear, &here };
    world.options.compress = true;
    world.blind_peer = true;
    world_send(&world, &result);
    world_join(&world);
    assert_says(here.warnings, "cannot decompress");
    world_done(&world);
}

static void both_sides_compare_their_clocks_and_tell_each_other_their_history(void **unused)
{
    SCENE;
    /* Round trips pass only while both sides wait, as they do until a large disk is copied. */
    world.vm = "demo,disk-size=32M,ram=64K";
    world_send(&world, &result);
    world_join(&world);
    for (enum side side = SIDE_SEND; side <= SIDE_RECV; side++) {
        assert_true(world.shared[side].comparisons >= 1); /* a slow machine has time for more */
        assert_string_equal(world.shared[side].heard, "{\"type\":\"note\"}\n");
    }
    world_done(&world);
}

static void a_question_brings_the_history_too(void **unused)
{
    SCENE;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    assert_string_equal(world.shared[SIDE_SEND].heard, "");
    world_recover(&world, SIDE_SEND, plain, &result);
    world_join(&world);
    assert_string_equal(world.shared[SIDE_SEND].heard, "{\"type\":\"note\"}\n");
    world_done(&world);
}

static void what_goes_well_brings_no_warning(void **unused)
{
    struct told here = { 0 }, there = { 0 };
    SCENE;

    lose_the_source_at_prepared(&world);
    world.events = (struct event_sink){ hear, &here };
    world_recover(&world, SIDE_SEND, plain, &result);
    world_recover(&world, SIDE_SEND, forward, &result);
    assert_int_equal(result.outcome, OUTCOME_DONE);
    assert_string_equal(here.warnings, "");
    world_done(&world);

    world_init(&world);
    world.events = (struct event_sink){ hear, &here };
    world.events_there = (struct event_sink){ hear, &there };
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_DONE);
    world_join(&world);
    assert_string_equal(here.warnings, "");
    assert_string_equal(there.warnings, "");
    world_done(&world);
}

static void a_connection_that_is_lost_once_the_guest_runs_there_is_no_failure(void **unused)
{
    SCENE;
    assert_int_equal(world_send_with(&world, "incoming-resume:end:send:lose", &result),
                     OUTCOME_DONE);
    assert_string_equal(result.error.text, "");
    assert_string_equal(result.stage, "");
    world_done(&world);
}

static void a_guest_that_was_started_again_brings_no_warning(void **unused)
{
    struct told here = { 0 };
    SCENE;

    world_mark(&world, SIDE_SEND, "ended", true);
    world_send_with(&world, "drive-mirror:end:send:crash", &result);
    world_mark(&world, SIDE_SEND, "again", true);
    world.events = (struct event_sink){ hear, &here };
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_string_equal(here.warnings, "");
    world_done(&world);
}

static void a_copy_that_has_run_is_told_once(void **unused)
{
    struct told here = { 0 };
    struct machine machine;
    SCENE;

    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    world_look(&world, SIDE_RECV, &machine);
    machine_set_state(&machine, RUN_RUNNING);
    assert_true(machine_save(&machine, NULL));
    world.events = (struct event_sink){ hear, &here };
    world_recover(&world, SIDE_RECV, plain, &result);
    assert_says(here.warnings, "it is paused and kept");
    here = (struct told){ 0 };
    world_recover(&world, SIDE_RECV, plain, &result);
    assert_string_equal(here.warnings, "");
    world_done(&world);
}

static void a_look_is_no_failed_question(void **unused)
{
    struct told there = { 0 };
    SCENE;

    world.events_there = (struct event_sink){ hear, &there };
    lose_the_source_at_prepared(&world);
    world.events_there = (struct event_sink){ 0 };
    world_recover(&world, SIDE_SEND, plain, &result);
    world_recover(&world, SIDE_SEND, forward, &result);
    world_join(&world);
    assert_says(there.warnings, "lost the sender");
    assert_null(strstr(there.warnings, "a query failed"));
    world_done(&world);
}

/* COMMIT takes the source's disk long. */
static bool slowly(void *arg, enum record record, bool written)
{
    const struct timespec *pause = arg;

    if (record == RECORD_COMMIT && written)
        nanosleep(pause, NULL);
    return true;
}

static off_t looks_at(const struct world *world, enum side side)
{
    struct stat st;
    char path[300];

    snprintf(path, sizeof(path), "%s/looks", world->state_dir[side]);
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void a_long_pause_is_told_and_its_parts_are_no_more_than_the_whole(void **unused)
{
    struct timespec pause = { .tv_sec = 2, .tv_nsec = 150000000 };
    struct told told = { 0 };
    SCENE;

    world.hook[SIDE_SEND] = (struct journal_hook){ slowly, &pause };
    world.events = (struct event_sink){ hear, &told };
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_DONE);
    assert_int_equal(result.state, RUN_RUNNING);
    assert_in_range(told.handshake_ms, 2000, result.downtime_ms);
    assert_in_range(told.handshake_ms + told.resume_ms, 2000, result.downtime_ms);
    assert_says(told.warnings, "--max-downtime");
    world_done(&world);
}

/* Its hypervisor has other things to do. */
static void a_copy_that_waits_is_looked_at_now_and_then(void **unused)
{
    struct timespec pause = { .tv_nsec = 400000000 };
    SCENE;

    world.hook[SIDE_SEND] = (struct journal_hook){ slowly, &pause };
    world_mark(&world, SIDE_RECV, "looks", true);
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_DONE);
    world_join(&world);
    assert_in_range(looks_at(&world, SIDE_RECV), 0, 20);
    world_done(&world);
}

static void the_word_that_the_peer_is_dead_waits_for_no_peer(void **unused)
{
    SCENE;
    world.options.patience_ms = 20000;
    world.options.lease_ms = 1;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    world.unreachable = true;
    world_recover(&world, SIDE_SEND, (struct recover_options){ .peer_is_dead = true }, &result);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_in_range(result.elapsed_ms, 0, 19999);
    world_done(&world);
}

static void a_fault_asked_of_recover_strikes_the_target_that_it_asks(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:after:recv:crash", &result);
    world_join(&world);
    world.unreachable_after_commit = false;
    assert_true(fault_parse("RESUMING:before:recv:crash", &world.options.fault, NULL));
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    world_join(&world);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_OWNED);
    world_done(&world);
}

static void recover_sweeps_what_a_dead_process_has_left(void **unused)
{
    char dir[256], path[300];
    SCENE;

    world_send_with(&world, "drive-mirror:end:send:crash", &result);
    snprintf(dir, sizeof(dir), "%s/%s", world.runtime_dir[SIDE_SEND], world.id);
    snprintf(path, sizeof(path), "%s/lane-ram.sock", dir);
    (void)mkdir(dir, 0700);
    assert_int_equal(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_not_equal(access(path, F_OK), 0);
    world_done(&world);
}

static void await_guardian(const struct world *world, enum side side)
{
    const struct timespec moment = { .tv_nsec = 1000000 };
    time_t end = time(NULL) + 30;

    while (!world_has_guardian(world, side) && time(NULL) < end)
        nanosleep(&moment, NULL);
    assert_true(world_has_guardian(world, side));
}

static void a_move_that_asks_for_guardians_has_one_at_each_side(void **unused)
{
    SCENE;
    world.options.guardian = true;
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_DONE);
    await_guardian(&world, SIDE_SEND);
    await_guardian(&world, SIDE_RECV);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_names_its_stage_at_either_side),
        cmocka_unit_test(what_both_sides_refuse_is_told_together),
        cmocka_unit_test(a_failure_at_the_target_is_told_in_its_words),
        cmocka_unit_test(a_target_that_cannot_write_its_refusal_ends_its_copy),
        cmocka_unit_test(a_target_whose_disk_fails_is_not_taken_for_a_crashed_one),
        cmocka_unit_test(a_choice_tells_what_there_is_to_choose),
        cmocka_unit_test(where_there_is_no_choice_forward_says_so),
        cmocka_unit_test(a_target_that_cannot_be_asked_without_a_decision_is_not_asked),
        cmocka_unit_test(a_target_that_cannot_decompress_is_told_of),
        cmocka_unit_test(both_sides_compare_their_clocks_and_tell_each_other_their_history),
        cmocka_unit_test(a_question_brings_the_history_too),
        cmocka_unit_test(what_goes_well_brings_no_warning),
        cmocka_unit_test(a_connection_that_is_lost_once_the_guest_runs_there_is_no_failure),
        cmocka_unit_test(a_guest_that_was_started_again_brings_no_warning),
        cmocka_unit_test(a_copy_that_has_run_is_told_once),
        cmocka_unit_test(a_look_is_no_failed_question),
        cmocka_unit_test(a_long_pause_is_told_and_its_parts_are_no_more_than_the_whole),
        cmocka_unit_test(a_copy_that_waits_is_looked_at_now_and_then),
        cmocka_unit_test(the_word_that_the_peer_is_dead_waits_for_no_peer),
        cmocka_unit_test(a_fault_asked_of_recover_strikes_the_target_that_it_asks),
        cmocka_unit_test(recover_sweeps_what_a_dead_process_has_left),
        cmocka_unit_test(a_move_that_asks_for_guardians_has_one_at_each_side),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

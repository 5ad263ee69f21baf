/* Another hand than xmig's: a second monitor's `cont`, at either side and at any moment. What then
 * has run is never given back, and never handed over as if it had not. See world.h.
 */
#include "scene.h"

#include <time.h>

/* Lets the guest of `side` run as the record is written at the other side, or at this one. */
struct hand {
    struct world *world;
    enum side side;
    enum record record;
    bool stops_again;
    bool done;
    bool ends;          /* … for good */
    bool notes_nothing; /* the journal takes no note afterwards */
};

static void touch(struct hand *hand)
{
    struct machine machine;

    world_look(hand->world, hand->side, &machine);
    machine_set_state(&machine, RUN_RUNNING);
    if (hand->stops_again)
        machine_set_state(&machine, RUN_PAUSED);
    if (hand->ends)
        machine_set_state(&machine, RUN_GONE);
    assert_true(machine_save(&machine, NULL));
    hand->done = true;
}

static bool at_record(void *arg, enum record record, bool written)
{
    struct hand *hand = arg;

    if (record == hand->record && written && !hand->done)
        touch(hand);
    return record != RECORD_NOTE || !hand->done || !hand->notes_nothing;
}

/* The moment is the receiver's PREPARED, which comes before the sender's COMMIT. */
#define HAND_AT_PREPARED(side, ...)                                                                \
    struct hand hand = { &world, side, RECORD_PREPARED, __VA_ARGS__ };                             \
    world.hook[SIDE_RECV] = (struct journal_hook)                                                  \
    {                                                                                              \
        at_record, &hand                                                                           \
    }

static void a_source_that_runs_before_commit_goes_on_and_nothing_is_handed_over(void **unused)
{
    SCENE;
    HAND_AT_PREPARED(SIDE_SEND, false, false, false, false);
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_ROLLED_BACK);
    assert_says(result.error.text, "somebody");
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    world_done(&world);
}

static void a_source_that_ran_for_a_moment_before_commit_is_not_handed_over(void **unused)
{
    SCENE;
    HAND_AT_PREPARED(SIDE_SEND, true, false, false, false);
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_ROLLED_BACK);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    world_done(&world);
}

/* GO was not said: the target has nothing to decide. */
static void a_source_that_runs_after_commit_takes_the_guest_back(void **unused)
{
    SCENE;
    struct hand hand = { &world, SIDE_SEND, RECORD_COMMIT, false, false, false, false };
    world.hook[SIDE_SEND] = (struct journal_hook){ at_record, &hand };
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_ROLLED_BACK);
    world_join(&world);
    assert_true(hand.done);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    assert_true(world_last_record(&world, SIDE_SEND) == RECORD_CLOSED);
    world_done(&world);
}

/* … and has ended since: what the target has is older, and nothing here can take it back. */
static void a_source_that_ran_after_commit_and_ended_leaves_go_unsaid(void **unused)
{
    SCENE;
    struct hand hand = { &world, SIDE_SEND, RECORD_COMMIT, false, false, true, false };
    world.hook[SIDE_SEND] = (struct journal_hook){ at_record, &hand };
    world.options.lease_ms = 50;
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_UNDECIDED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);
    world_join(&world);
    assert_int_not_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_done(&world);
}

static void a_copy_that_runs_too_early_goes_on_when_it_is_handed_over(void **unused)
{
    SCENE;
    HAND_AT_PREPARED(SIDE_RECV, false, false, false, false);
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_DONE);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_GONE);
    world_done(&world);
}

static void the_end_of_the_lease_does_not_take_a_copy_that_has_run(void **unused)
{
    SCENE;
    HAND_AT_PREPARED(SIDE_RECV, false, false, false, false);
    world.options.lease_ms = 50;
    world_send_with(&world, "COMMIT:before:send:crash", &result);
    world_join(&world);
    assert_int_equal(world_received(&world)->outcome, OUTCOME_UNDECIDED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    world_done(&world);
}

static void a_sender_that_gives_up_decides_nothing_when_the_copy_has_run(void **unused)
{
    SCENE;
    HAND_AT_PREPARED(SIDE_RECV, true, false, false, false);
    world.options.lease_ms = 50;
    assert_int_equal(world_send_with(&world, "COMMIT:before:send", &result), OUTCOME_UNDECIDED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PAUSING);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    world_join(&world);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    assert_says(world_received(&world)->error.text, "somebody let");
    world_done(&world);
}

static void a_committed_sender_that_asks_hears_that_the_copy_has_run(void **unused)
{
    SCENE;
    HAND_AT_PREPARED(SIDE_RECV, false, false, false, false);
    world.options.lease_ms = 50;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "somebody has let the target's copy run");
    world_join(&world);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_UNDECIDED);
    assert_int_equal(recover_at(&world, SIDE_SEND, forward), OUTCOME_DONE);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_done(&world);
}

static void a_person_may_give_up_a_copy_that_has_run(void **unused)
{
    SCENE;
    HAND_AT_PREPARED(SIDE_RECV, true, false, false, false);
    world.options.lease_ms = 50;
    world_send_with(&world, "COMMIT:before:send:crash", &result);
    world_join(&world);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    assert_int_equal(recover_at(&world, SIDE_SEND, back), OUTCOME_ROLLED_BACK);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    world_done(&world);
}

static void a_recover_that_is_called_off_does_not_let_the_guest_run_beside_such_a_copy(
    void **unused)
{
    SCENE;
    HAND_AT_PREPARED(SIDE_RECV, true, false, false, false);
    world.options.lease_ms = 50;
    world_send_with(&world, "COMMIT:before:send:crash", &result);
    world_join(&world);
    world.called_off = true;
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_true(result.choice);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PAUSING);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    world_done(&world);
}

static void a_person_may_give_up_a_copy_that_has_run_while_it_waits(void **unused)
{
    SCENE;
    HAND_AT_PREPARED(SIDE_RECV, true, false, false, false);
    world_send_with(&world, "COMMIT:before:send:crash", &result);
    assert_int_equal(recover_at(&world, SIDE_SEND, back), OUTCOME_ROLLED_BACK);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    world_done(&world);
}

static void note_the_loss(void *arg, const struct event *event)
{
    _Atomic bool *lost = arg;

    if (event->kind == EVENT_WARNING && strstr(event->text, "lost the sender"))
        *lost = true;
}

static bool is_paused_there(const struct world *world)
{
    return world_state(world, SIDE_RECV) == RUN_PAUSED;
}

/* Without a lease nothing else wakes the receiver. */
static void a_copy_that_runs_while_it_waits_alone_is_paused(void **unused)
{
    const struct timespec moment = { .tv_nsec = 1000000 };
    _Atomic bool lost = false;
    time_t end;
    SCENE;

    world.options.lease_ms = 0;
    world.events_there = (struct event_sink){ note_the_loss, (void *)&lost };
    world_send_with(&world, "COMMIT:before:send:crash", &result);
    for (end = time(NULL) + 30; !lost && time(NULL) < end;)
        nanosleep(&moment, NULL);
    assert_true(lost);
    world.events_there = (struct event_sink){ 0 };
    put(&world, SIDE_RECV, RUN_RUNNING);
    for (end = time(NULL) + 30; !is_paused_there(&world) && time(NULL) < end;)
        nanosleep(&moment, NULL);
    assert_true(is_paused_there(&world));
    assert_int_equal(recover_at(&world, SIDE_SEND, back), OUTCOME_ROLLED_BACK);
    world_done(&world);
}

static void a_copy_that_has_run_is_told_as_such_though_no_note_can_be_written(void **unused)
{
    SCENE;
    HAND_AT_PREPARED(SIDE_RECV, true, false, false, true);
    world.options.lease_ms = 50;
    assert_int_equal(world_send_with(&world, "COMMIT:before:send", &result), OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    world_done(&world);
}

/* The target, with its network, once REFUSED is written. */
static bool dies_after_refused(void *arg, enum record record, bool written)
{
    struct world *world = arg;

    world->unreachable = world->unreachable || (record == RECORD_REFUSED && written);
    return !world->unreachable;
}

static void a_copy_that_was_given_up_is_not_asked_about_again(void **unused)
{
    SCENE;
    HAND_AT_PREPARED(SIDE_RECV, true, false, false, false);
    world.options.lease_ms = 50;
    world_send_with(&world, "COMMIT:before:send:crash", &result);
    world_join(&world);
    world.hook[SIDE_RECV] = (struct journal_hook){ dies_after_refused, &world };
    recover_at(&world, SIDE_SEND, back);
    world_join(&world);
    world.hook[SIDE_RECV] = (struct journal_hook){ 0 };
    world.unreachable = false;
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_REFUSED);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_ROLLED_BACK);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    world_done(&world);
}

/* REFUSED is written, and the copy is about to be destroyed. */
static void a_copy_that_runs_after_it_was_refused_is_kept(void **unused)
{
    SCENE;
    struct hand hand = { &world, SIDE_RECV, RECORD_REFUSED, true, false, false, false };
    world.hook[SIDE_RECV] = (struct journal_hook){ at_record, &hand };
    world.options.lease_ms = 50;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    assert_true(hand.done);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_REFUSED);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_UNDECIDED);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "somebody has let the target's copy run");
    assert_int_equal(recover_at(&world, SIDE_SEND, back), OUTCOME_ROLLED_BACK);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    world_done(&world);
}

static void recover_at_the_target_pauses_a_copy_that_runs_too_early(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    put(&world, SIDE_RECV, RUN_RUNNING);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    world_done(&world);
}

static void the_end_of_a_dead_receivers_lease_does_not_take_a_copy_that_has_run(void **unused)
{
    static const struct recover_options lease_is_over = { .lease_is_over = true };
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    put(&world, SIDE_RECV, RUN_RUNNING);
    assert_int_equal(recover_at(&world, SIDE_RECV, lease_is_over), OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    world_done(&world);
}

static void a_dead_copy_that_has_run_is_not_refused(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    put(&world, SIDE_RECV, RUN_RUNNING);
    put(&world, SIDE_RECV, RUN_GONE);
    world.unreachable_after_commit = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_UNDECIDED);
    world_join(&world);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    assert_int_equal(recover_at(&world, SIDE_RECV, on_my_word), OUTCOME_NOWHERE);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_LOST);
    world_done(&world);
}

static void an_owned_copy_that_has_run_and_died_is_lost_and_not_given_back(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:after:recv:crash", &result);
    world_join(&world);
    put(&world, SIDE_RECV, RUN_RUNNING);
    put(&world, SIDE_RECV, RUN_GONE);
    world.unreachable_after_commit = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_NOWHERE);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_LOST);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    world_done(&world);
}

static void an_owned_copy_that_runs_already_is_the_targets(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:after:recv:crash", &result);
    world_join(&world);
    put(&world, SIDE_RECV, RUN_RUNNING);
    world.unreachable_after_commit = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_GONE);
    world_done(&world);
}

/* ---- the target's images ---- */

static bool lose_names_at_prepared(void *arg, enum record record, bool written)
{
    if (written && record == RECORD_PREPARED)
        world_mark(arg, SIDE_RECV, "nameless", true);
    return true;
}

#define NAMES_ARE_LOST_AT_PREPARED                                                                 \
    world.hook[SIDE_RECV] = (struct journal_hook)                                                  \
    {                                                                                              \
        lose_names_at_prepared, &world                                                             \
    }

static void a_copy_whose_disk_has_lost_its_name_is_given_back(void **unused)
{
    SCENE;
    NAMES_ARE_LOST_AT_PREPARED;
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_ROLLED_BACK);
    assert_says(result.error.text, "has lost its name");
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    world_done(&world);
}

/* Only the target's copy is left: it waits until somebody has seen to the name. */
static void the_only_copy_is_not_given_up_for_a_name(void **unused)
{
    SCENE;
    NAMES_ARE_LOST_AT_PREPARED;
    world_send_with(&world, "COMMIT:before:send:crash", &result);
    world_reset(&world, SIDE_SEND);
    assert_int_equal(recover_at(&world, SIDE_SEND, forward), OUTCOME_UNDECIDED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);

    world_mark(&world, SIDE_RECV, "nameless", false);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_done(&world);
}

static void on_a_persons_word_a_copy_without_a_name_runs(void **unused)
{
    SCENE;
    (void)result;
    NAMES_ARE_LOST_AT_PREPARED;
    world_lose_all_but_the_copy(&world);
    assert_int_equal(recover_at(&world, SIDE_RECV, on_my_word), OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_that_runs_before_commit_goes_on_and_nothing_is_handed_over),
        cmocka_unit_test(a_source_that_ran_for_a_moment_before_commit_is_not_handed_over),
        cmocka_unit_test(a_source_that_runs_after_commit_takes_the_guest_back),
        cmocka_unit_test(a_source_that_ran_after_commit_and_ended_leaves_go_unsaid),
        cmocka_unit_test(a_copy_that_runs_too_early_goes_on_when_it_is_handed_over),
        cmocka_unit_test(a_person_may_give_up_a_copy_that_has_run_while_it_waits),
        cmocka_unit_test(a_copy_that_runs_while_it_waits_alone_is_paused),
        cmocka_unit_test(a_copy_that_has_run_is_told_as_such_though_no_note_can_be_written),
        cmocka_unit_test(the_end_of_the_lease_does_not_take_a_copy_that_has_run),
        cmocka_unit_test(a_sender_that_gives_up_decides_nothing_when_the_copy_has_run),
        cmocka_unit_test(a_committed_sender_that_asks_hears_that_the_copy_has_run),
        cmocka_unit_test(a_person_may_give_up_a_copy_that_has_run),
        cmocka_unit_test(
            a_recover_that_is_called_off_does_not_let_the_guest_run_beside_such_a_copy),
        cmocka_unit_test(a_copy_that_was_given_up_is_not_asked_about_again),
        cmocka_unit_test(a_copy_that_runs_after_it_was_refused_is_kept),
        cmocka_unit_test(recover_at_the_target_pauses_a_copy_that_runs_too_early),
        cmocka_unit_test(the_end_of_a_dead_receivers_lease_does_not_take_a_copy_that_has_run),
        cmocka_unit_test(a_dead_copy_that_has_run_is_not_refused),
        cmocka_unit_test(an_owned_copy_that_has_run_and_died_is_lost_and_not_given_back),
        cmocka_unit_test(an_owned_copy_that_runs_already_is_the_targets),
        cmocka_unit_test(a_copy_whose_disk_has_lost_its_name_is_given_back),
        cmocka_unit_test(the_only_copy_is_not_given_up_for_a_name),
        cmocka_unit_test(on_a_persons_word_a_copy_without_a_name_runs),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

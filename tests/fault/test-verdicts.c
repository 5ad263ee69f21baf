/* The commit protocol's stories: what a person at 2 a.m. may come to see, each with
 * the answer xmig must give. Both machines are in this process; see world.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>

#include "world.h"
#include "xmig/cleanup.h"

static void fault(struct world *world, const char *text)
{
    struct error err = { 0 };

    world->options.fault = (struct fault){ 0 };
    if (*text && !fault_parse(text, &world->options.fault, &err))
        fail_msg("%s", err.text);
}

static enum outcome recover_at(struct world *world, enum side side, struct recover_options options)
{
    struct result result;

    world_recover(world, side, options, &result);
    return result.outcome;
}

static const struct recover_options plain = { 0 };
static const struct recover_options on_my_word = { .peer_is_dead = true };
static const struct recover_options discarding = { .discard = true };
static const struct recover_options forward = { .forward = true };
static const struct recover_options forward_on_my_word = { .forward = true, .word = true };
static const struct recover_options back = { .back = true };

#define SCENE                                                                                      \
    struct world world;                                                                            \
    struct result result;                                                                          \
    (void)unused;                                                                                  \
    (void)result;                                                                                  \
    world_init(&world)

static void a_sender_that_dies_after_commit_is_asked_to_go_again(void **unused)
{
    SCENE;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_GONE);
    world_done(&world);
}

static void a_guardian_settles_it_as_recover_would(void **unused)
{
    SCENE;
    world.unattended = true;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_done(&world);
    world_init(&world);
    world.unattended = true;
    world.unreachable_after_commit = true;
    world_send_with(&world, "RUNNING:after:recv:crash", &result);
    world_join(&world);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_DONE);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    world_done(&world);
}

/* Both also where it is recover that asks. */
static void assert_settles_where(bool way_dies, bool no_new_login)
{
    void *unused = NULL;
    SCENE;

    world.options.patience_ms = 10000;
    world.way_dies = way_dies;
    world.no_new_login = no_new_login;
    world_send_with(&world, "COMMIT:after:send:lose", &result);
    assert_int_equal(result.outcome, OUTCOME_DONE);
    world_done(&world);
    world_init(&world);
    world.options.patience_ms = 10000;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world.way_dies = way_dies;
    world.no_new_login = no_new_login;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    world_done(&world);
}

static void a_verdict_is_asked_past_a_way_that_has_died(void **unused)
{
    (void)unused;
    assert_settles_where(true, false);
}

static void a_verdict_is_asked_by_the_old_way_where_no_new_login_is_possible(void **unused)
{
    (void)unused;
    assert_settles_where(false, true);
}

static void after_the_lease_the_source_gets_its_guest_back_by_proof(void **unused)
{
    SCENE;
    world.options.lease_ms = 50;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_replay(&world, SIDE_SEND);
    world_done(&world);
}

static void complete_disks_stay_until_the_sender_has_settled(void **unused)
{
    struct machine machine;
    SCENE;

    world.options.lease_ms = 50;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    world_look(&world, SIDE_RECV, &machine);
    assert_string_equal(machine.disks, "kept");
    recover_at(&world, SIDE_SEND, plain);
    world_join(&world);
    world_look(&world, SIDE_RECV, &machine);
    assert_string_equal(machine.disks, "discarded");
    world_done(&world);
}

static void the_operator_may_discard_kept_disks(void **unused)
{
    struct machine machine;
    SCENE;

    world.options.lease_ms = 50;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    assert_int_equal(recover_at(&world, SIDE_RECV, discarding), OUTCOME_ROLLED_BACK);
    world_look(&world, SIDE_RECV, &machine);
    assert_string_equal(machine.disks, "discarded");
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    world_done(&world);
}

static void an_unreachable_target_after_commit_is_undecided_and_touches_nothing(void **unused)
{
    SCENE;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world.unreachable = true;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);
    world.unreachable = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    world_done(&world);
}

static void count_warnings(void *arg, const struct event *event)
{
    size_t *count = arg;

    *count += event->kind == EVENT_WARNING;
}

/* 10, 20, 40, 80, 80 … ms: of 400 ms; fewer on a busy machine. */
static void an_unreachable_target_is_asked_less_and_less_often_and_that_is_said_once(void **unused)
{
    size_t warnings = 0;
    SCENE;

    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world.unreachable = true;
    world.dials = 0;
    world.options.patience_ms = 400;
    world.options.retry_ms = 10;
    world.events = (struct event_sink){ count_warnings, &warnings };
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_UNDECIDED);
    assert_int_equal(warnings, 1);
    assert_in_range(world.dials, 2, 9);
    world.unreachable = false;
    world.events = (struct event_sink){ 0 };
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    world_done(&world);
}

static void on_the_operators_word_the_source_runs_without_a_target(void **unused)
{
    SCENE;
    world.options.lease_ms = 1;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_RECV);
    world.unreachable = true;
    assert_int_equal(recover_at(&world, SIDE_SEND, on_my_word), OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_replay(&world, SIDE_SEND);
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
    assert_non_null(strstr(result.error.text, "stop one of them"));
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
    assert_true(fault_parse("WORD:after:send:crash", &world.options.fault, NULL));
    world_recover(&world, SIDE_SEND, on_my_word, &result);
    world.options.fault = (struct fault){ 0 };
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_WORD);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);

    world.unreachable_after_commit = false;
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_non_null(strstr(result.error.text, "was said to be dead"));
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_done(&world);
}

static void a_target_that_answers_is_not_dead(void **unused)
{
    struct machine machine;
    SCENE;

    world.unreachable_after_commit = true;
    world_send_with(&world, "RESUMING:after:recv:crash", &result);
    world_join(&world);
    world_look(&world, SIDE_RECV, &machine);
    machine_set_state(&machine, RUN_UNKNOWN);
    assert_true(machine_save(&machine, NULL));
    world.unreachable_after_commit = world.unreachable = false;
    world_recover(&world, SIDE_SEND, on_my_word, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_non_null(strstr(result.error.text, "it answers"));
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);
    world_done(&world);
}

static void a_guest_that_has_turned_itself_off_leaves_nothing_to_settle(void **unused)
{
    SCENE;
    world_send_with(&world, "drive-mirror:end:send:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_SEND);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_NOWHERE);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    world_done(&world);
}

static void complete_disks_of_a_guest_that_is_gone_are_kept_and_asked_for_once(void **unused)
{
    struct machine machine;
    SCENE;

    world_send_with(&world, "COMMIT:before:send:crash", &result);
    world_reset(&world, SIDE_SEND);
    assert_int_equal(recover_at(&world, SIDE_SEND, back), OUTCOME_NOWHERE);
    world_join(&world);
    assert_int_equal(world.life_count, 3); /* the move's connection, a look, and one question */
    world_look(&world, SIDE_RECV, &machine);
    assert_string_equal(machine.disks, "kept");
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_DESTROYED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    world_done(&world);
}

/* The source's copy has died with COMMIT unwritten, and the target has everything. */
static void lose_the_source_at_prepared(struct world *world)
{
    struct result result;

    world_send_with(world, "COMMIT:before:send:crash", &result);
    world_reset(world, SIDE_SEND);
}

static void a_complete_copy_of_a_guest_that_died_at_the_source_is_offered(void **unused)
{
    SCENE;
    lose_the_source_at_prepared(&world);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_true(result.choice);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PAUSING);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    recover_at(&world, SIDE_SEND, back);
    world_done(&world);
}

static void forward_lets_the_targets_complete_copy_go_on(void **unused)
{
    SCENE;
    lose_the_source_at_prepared(&world);
    assert_int_equal(recover_at(&world, SIDE_SEND, forward), OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_GONE);
    world_join(&world);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    world_done(&world);
}

static void forward_works_without_the_process_that_received(void **unused)
{
    SCENE;
    world_lose_all_but_the_copy(&world);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_UNDECIDED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    assert_int_equal(recover_at(&world, SIDE_SEND, forward), OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_join(&world);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    world_done(&world);
}

static void write_to_the_sources_disks(struct world *world)
{
    struct machine machine;

    world_look(world, SIDE_SEND, &machine);
    machine.writes[0]++;
    assert_true(machine_save(&machine, NULL));
}

static void forward_is_refused_where_somebody_has_run_the_guest_since(void **unused)
{
    SCENE;
    lose_the_source_at_prepared(&world);
    write_to_the_sources_disks(&world);
    world_recover(&world, SIDE_SEND, forward_on_my_word, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_non_null(strstr(result.error.text, "written to"));
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PAUSING);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    assert_int_equal(recover_at(&world, SIDE_SEND, back), OUTCOME_NOWHERE);
    world_done(&world);
}

static void the_choice_is_not_made_at_the_target(void **unused)
{
    SCENE;
    world_lose_all_but_the_copy(&world);
    assert_int_equal(recover_at(&world, SIDE_RECV, forward), OUTCOME_UNDECIDED);
    assert_int_equal(recover_at(&world, SIDE_RECV, back), OUTCOME_UNDECIDED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    assert_int_equal(recover_at(&world, SIDE_SEND, forward), OUTCOME_DONE);
    world_done(&world);
}

static void forward_is_refused_while_the_guest_is_alive_here(void **unused)
{
    SCENE;
    world_send_with(&world, "COMMIT:before:send:crash", &result);
    assert_int_equal(recover_at(&world, SIDE_SEND, forward), OUTCOME_UNDECIDED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PAUSING);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_done(&world);
}

static void a_dead_guests_complete_copy_at_an_unreachable_target_waits_for_a_person(void **unused)
{
    SCENE;
    lose_the_source_at_prepared(&world);
    world.unreachable = true;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_UNDECIDED);
    assert_int_equal(recover_at(&world, SIDE_SEND, forward), OUTCOME_UNDECIDED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PAUSING);
    world.unreachable = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, forward), OUTCOME_DONE);
    world_done(&world);
}

static void forward_after_the_lease_gives_the_guest_back(void **unused)
{
    SCENE;
    world.options.lease_ms = 1;
    lose_the_source_at_prepared(&world);
    world_join(&world);
    assert_int_equal(recover_at(&world, SIDE_SEND, forward), OUTCOME_UNDECIDED);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_NOWHERE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
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

/* The receiver's process dies as it writes DESTROYED, behind the sender's `settled`. */
static bool dies_at_destroyed(void *arg, enum record record, bool written)
{
    bool *dead = arg;

    if (record == RECORD_DESTROYED && written)
        *dead = true;
    return !*dead;
}

static void a_sender_whose_last_word_is_lost_does_not_close_its_journal(void **unused)
{
    struct machine machine;
    bool dead = false;
    SCENE;

    world.unreachable_after_commit = true;
    world.hook[SIDE_RECV] = (struct journal_hook){ dies_at_destroyed, &dead };
    assert_int_equal(world_send_with(&world, "COMMIT:before:send", &result), OUTCOME_ROLLED_BACK);
    world_join(&world);
    assert_true(dead);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_ABORTED);

    world.hook[SIDE_RECV] = (struct journal_hook){ 0 };
    world.unreachable_after_commit = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_ROLLED_BACK);
    world_join(&world);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    world_look(&world, SIDE_RECV, &machine);
    assert_string_equal(machine.disks, "discarded");
    world_replay(&world, SIDE_SEND);
    world_replay(&world, SIDE_RECV);
    world_done(&world);
}

static void a_target_without_its_journal_proves_nothing(void **unused)
{
    SCENE;
    world.options.lease_ms = 1;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    world_lose_journal(&world, SIDE_RECV);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    world_done(&world);
}

static void another_machine_at_the_targets_address_proves_nothing(void **unused)
{
    struct identity its_own;
    SCENE;

    world.options.lease_ms = 1;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    its_own = world.identity[SIDE_RECV];
    snprintf(world.identity[SIDE_RECV].machine, sizeof(world.identity[SIDE_RECV].machine),
             "another");
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_non_null(strstr(result.error.text, "another machine"));
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    world_join(&world);
    world.identity[SIDE_RECV] = its_own;
    world_done(&world);
}

static void a_question_without_the_token_gets_no_verdict(void **unused)
{
    SCENE;
    world.options.lease_ms = 1;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_join(&world);
    world.wrong_token = true;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_UNDECIDED);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    world_done(&world);
}

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
    struct machine machine;
    SCENE;

    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_RECV);
    world_look(&world, SIDE_RECV, &machine);
    machine_set_state(&machine, RUN_PAUSED);
    assert_true(machine_save(&machine, NULL));
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
    SCENE;
    lose_the_target(&world);
    world_mark(&world, SIDE_RECV, "again", true);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_DONE);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    world_join(&world);
    assert_both_closed(&world);
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
    fault(&world, "CLOSED:before:recv");
    assert_int_equal(recover_at(&world, SIDE_RECV, closing), OUTCOME_NOWHERE);
    fault(&world, "");
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
    struct machine machine;
    SCENE;

    world_send_with(&world, "COMMIT:after:send:crash", &result);
    world_look(&world, SIDE_SEND, &machine);
    machine_set_state(&machine, RUN_RUNNING);
    assert_true(machine_save(&machine, NULL));
    world_recover(&world, SIDE_SEND, on_my_word, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_non_null(strstr(result.error.text, "runs here although"));
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_COMMIT);
    machine_set_state(&machine, RUN_PAUSED);
    assert_true(machine_save(&machine, NULL));
    recover_at(&world, SIDE_SEND, plain);
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

static void after_the_operators_word_a_failure_does_not_take_the_copy(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    world_reset(&world, SIDE_SEND);
    fault(&world, "OWNED:before:recv");
    assert_int_equal(recover_at(&world, SIDE_RECV, on_my_word), OUTCOME_UNDECIDED);
    fault(&world, "");
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
    fault(&world, "WORD:after:recv:crash");
    world_recover(&world, SIDE_RECV, on_my_word, &result);
    fault(&world, "");
    world_reset(&world, SIDE_RECV);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_NOWHERE);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_LOST);
    world_done(&world);
}

static void shared_images_wait_for_the_proof_before_the_guest_runs_again(void **unused)
{
    static const char *const without[] = { "drive-mirror", "block-ready-wait", NULL };
    SCENE;

    world.options.without = without;
    world.options.vm.mirrors_disks = false;
    world_send_with(&world, "ram-stream:end:send:crash", &result);
    world.unreachable = true;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_PAUSED);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_PAUSED);
    world.unreachable = false;
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_ROLLED_BACK);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
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

static void a_move_without_mirrors_succeeds(void **unused)
{
    static const char *const without[] = { "drive-mirror", "block-ready-wait", NULL };
    SCENE;

    world.options.without = without;
    world.options.vm.mirrors_disks = false;
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_done(&world);
}

static void recovering_twice_changes_nothing(void **unused)
{
    SCENE;
    world_send_with(&world, "COMMIT:after:send:crash", &result);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    world_join(&world);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_DONE);
    world_done(&world);
}

static void a_refused_check_touches_nothing(void **unused)
{
    SCENE;
    assert_int_equal(world_send_with(&world, "params-copy:check:recv", &result), OUTCOME_REFUSED);
    world_join(&world);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_NONE);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_NONE);
    world_done(&world);
}

static void a_dry_run_plans_on_both_sides_and_touches_nothing(void **unused)
{
    SCENE;
    world.options.dry_run = true;
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_DONE);
    world_join(&world);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_NONE);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_NONE);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    world_done(&world);
}

static void a_failure_tells_its_stage(void **unused)
{
    SCENE;
    assert_int_equal(world_send_with(&world, "drive-mirror:end:send", &result),
                     OUTCOME_ROLLED_BACK);
    assert_string_equal(result.stage, "drive-mirror");
    world_done(&world);
}

static void the_targets_journal_tells_where_the_guest_came_from(void **unused)
{
    enum journal_health health;
    struct journal *journal;
    SCENE;

    world_send_with(&world, "", &result);
    world_join(&world);
    journal = journal_open(world.state_dir[SIDE_RECV], world.id, SIDE_RECV,
                           &world.identity[SIDE_RECV], &health, NULL);
    assert_non_null(journal);
    assert_non_null(
        strstr(json_string_or(journal_find(journal, RECORD_BEGIN), "source_host", ""), "@"));
    journal_free(journal);
    world_done(&world);
}

static void leftovers_at_the_source_still_say_where_the_guest_runs(void **unused)
{
    SCENE;
    assert_int_equal(world_send_with(&world, "incoming-resume:finish:send", &result),
                     OUTCOME_CLEANUP);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_RUNNING);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_GONE);
    world_done(&world);
}

static void a_move_past_its_deadline_rolls_back(void **unused)
{
    SCENE;
    world.vm = "demo,disk-size=64G,ram=64K";
    world.options.deadline_ms = 20;
    assert_int_equal(world_send_with(&world, "", &result), OUTCOME_ROLLED_BACK);
    assert_int_equal(result.error.kind, ERROR_LIMIT);
    assert_non_null(strstr(result.error.text, "--deadline"));
    assert_int_equal(world_state(&world, SIDE_SEND), RUN_RUNNING);
    world_join(&world);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_GONE);
    world_done(&world);
}

/* ---- the bound on the pause ---- */

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
    assert_non_null(strstr(result.error.text, "longer than --max-pause permits (300 ms)"));
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
    assert_non_null(strstr(result.error.text, "the VM was not paused"));
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
        cmocka_unit_test(a_move_without_mirrors_succeeds),
        cmocka_unit_test(a_refused_check_touches_nothing),
        cmocka_unit_test(a_dry_run_plans_on_both_sides_and_touches_nothing),
        cmocka_unit_test(a_sender_that_dies_after_commit_is_asked_to_go_again),
        cmocka_unit_test(a_guardian_settles_it_as_recover_would),
        cmocka_unit_test(a_verdict_is_asked_past_a_way_that_has_died),
        cmocka_unit_test(a_verdict_is_asked_by_the_old_way_where_no_new_login_is_possible),
        cmocka_unit_test(after_the_lease_the_source_gets_its_guest_back_by_proof),
        cmocka_unit_test(complete_disks_stay_until_the_sender_has_settled),
        cmocka_unit_test(the_operator_may_discard_kept_disks),
        cmocka_unit_test(an_unreachable_target_after_commit_is_undecided_and_touches_nothing),
        cmocka_unit_test(an_unreachable_target_is_asked_less_and_less_often_and_that_is_said_once),
        cmocka_unit_test(on_the_operators_word_the_source_runs_without_a_target),
        cmocka_unit_test(a_target_that_answers_knows_better_than_the_operator),
        cmocka_unit_test(a_target_that_comes_back_after_the_operators_word_drops_its_copy),
        cmocka_unit_test(a_wrong_word_of_the_operators_is_reported_when_the_target_is_heard),
        cmocka_unit_test(a_target_that_answers_is_not_dead),
        cmocka_unit_test(a_wrong_word_lets_nothing_run_beside_a_target_that_is_heard_in_time),
        cmocka_unit_test(a_guest_that_has_turned_itself_off_leaves_nothing_to_settle),
        cmocka_unit_test(complete_disks_of_a_guest_that_is_gone_are_kept_and_asked_for_once),
        cmocka_unit_test(a_complete_copy_of_a_guest_that_died_at_the_source_is_offered),
        cmocka_unit_test(forward_lets_the_targets_complete_copy_go_on),
        cmocka_unit_test(forward_is_refused_where_somebody_has_run_the_guest_since),
        cmocka_unit_test(the_choice_is_not_made_at_the_target),
        cmocka_unit_test(forward_is_refused_while_the_guest_is_alive_here),
        cmocka_unit_test(a_dead_guests_complete_copy_at_an_unreachable_target_waits_for_a_person),
        cmocka_unit_test(forward_after_the_lease_gives_the_guest_back),
        cmocka_unit_test(forward_works_without_the_process_that_received),
        cmocka_unit_test(a_target_that_is_dead_for_good_need_not_be_told),
        cmocka_unit_test(a_sender_whose_last_word_is_lost_does_not_close_its_journal),
        cmocka_unit_test(a_target_without_its_journal_proves_nothing),
        cmocka_unit_test(another_machine_at_the_targets_address_proves_nothing),
        cmocka_unit_test(a_question_without_the_token_gets_no_verdict),
        cmocka_unit_test(a_target_reset_while_prepared_gives_the_guest_back),
        cmocka_unit_test(after_a_reset_what_looks_like_the_copy_is_not_it),
        cmocka_unit_test(a_target_reset_between_owned_and_resuming_gives_the_guest_back),
        cmocka_unit_test(a_target_reset_after_resuming_owns_a_guest_that_runs_nowhere),
        cmocka_unit_test(a_lost_guest_that_was_started_by_hand_is_moved_the_target_asked_first),
        cmocka_unit_test(a_lost_guest_that_was_started_by_hand_is_moved_the_source_asked_first),
        cmocka_unit_test(a_lost_guest_is_closed_when_a_person_has_seen_to_it),
        cmocka_unit_test(closing_is_no_way_out_of_a_doubt),
        cmocka_unit_test(a_guest_found_running_against_its_journal_is_reported_and_left_alone),
        cmocka_unit_test(recover_at_a_prepared_target_decides_nothing_by_itself),
        cmocka_unit_test(on_the_operators_word_a_prepared_target_runs),
        cmocka_unit_test(after_the_operators_word_a_failure_does_not_take_the_copy),
        cmocka_unit_test(the_operators_word_for_a_dead_copy_is_recorded_as_lost),
        cmocka_unit_test(a_failure_tells_its_stage),
        cmocka_unit_test(the_targets_journal_tells_where_the_guest_came_from),
        cmocka_unit_test(shared_images_wait_for_the_proof_before_the_guest_runs_again),
        cmocka_unit_test(with_shared_images_the_operators_word_is_as_good_as_a_proof),
        cmocka_unit_test(recovering_twice_changes_nothing),
        cmocka_unit_test(a_move_past_its_deadline_rolls_back),
        cmocka_unit_test(a_drain_that_hangs_does_not_keep_the_guest),
        cmocka_unit_test(a_target_that_hangs_at_the_switch_does_not_keep_the_guest),
        cmocka_unit_test(a_target_that_flushes_too_slowly_does_not_see_the_guest_paused),
        cmocka_unit_test(a_target_that_flushes_fast_enough_gets_the_guest),
        cmocka_unit_test(after_commit_no_bound_brings_the_guest_back),
        cmocka_unit_test(leftovers_at_the_source_still_say_where_the_guest_runs),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

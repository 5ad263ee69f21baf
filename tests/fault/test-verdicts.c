/* The commit protocol's stories: what a person at 2 a.m. may come to see, each with the answer xmig
 * must give.
 */
#include "scene.h"

#include <signal.h>
#include <sys/wait.h>

#include "pipeline/commit/guardian.h"
#include "pipeline/commit/verdict.h"

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
    assert_says(json_string_or(journal_find(journal, RECORD_BEGIN), "source_host", ""), "@");
    journal_free(journal);
    world_done(&world);
}

static void the_sources_journal_tells_by_what_the_guest_is_found_again(void **unused)
{
    AUTO_JSON cJSON *source = NULL;
    SCENE;

    world_send_with(&world, "BEGIN:after:send:crash", &result);
    source = world_fact(&world, SIDE_SEND, FACT_SOURCE);
    assert_string_equal(json_string_or(source, "source_vm", ""), world.vm);
    assert_string_equal(json_string_or(source, "dest", ""), "thread:");
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

static void a_sender_that_crashes_before_its_last_record_leaves_nothing_but_that(void **unused)
{
    SCENE;
    world_send_with(&world, "CLOSED:before:send:crash", &result);
    assert_true(result.crashed);
    world_join(&world);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_DONE);
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_CLOSED);
    world_done(&world);
}

/* Whoever takes a migration on says so in its journal before anything else. */
static bool takes_no_note(void *arg, enum record record, bool written)
{
    (void)arg;
    (void)written;
    return record != RECORD_NOTE;
}

static void a_receiver_that_cannot_take_the_migration_on_decides_nothing(void **unused)
{
    SCENE;
    world.unreachable_after_commit = true;
    world_send_with(&world, "OWNED:before:recv:crash", &result);
    world_join(&world);
    world.unreachable_after_commit = false;
    world.hook[SIDE_RECV] = (struct journal_hook){ takes_no_note, NULL };
    world_recover(&world, SIDE_SEND, plain, &result);
    world_join(&world);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "the target's answer is 'wait'");
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_PREPARED);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
    world.hook[SIDE_RECV] = (struct journal_hook){ 0 };
    assert_int_equal(recover_at(&world, SIDE_SEND, plain), OUTCOME_DONE);
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

/* A guardian of this side, which has begun an attempt and does not end it. */
static pid_t begin_an_attempt(const struct world *world, enum side side)
{
    struct migration m = { .state_dir = world->state_dir[side], .side = side };
    char word = 'n';
    int said[2];
    pid_t pid;

    snprintf(m.id, sizeof(m.id), "%s", world->id);
    assert_int_equal(pipe(said), 0);
    pid = fork();
    if (pid == 0) {
        word = guardian_begin_attempt(&m, NULL) ? 'y' : 'n';
        if (write(said[1], &word, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(said[0], &word, 1), 1);
    assert_int_equal(word, 'y');
    close(said[0]);
    close(said[1]);
    return pid;
}

static void a_guardian_leaves_it_to_one_that_is_at_it(void **unused)
{
    pid_t other;
    SCENE;

    world.unattended = true;
    world.unreachable_after_commit = true;
    world_send_with(&world, "RUNNING:after:recv:crash", &result);
    world_join(&world);
    other = begin_an_attempt(&world, SIDE_RECV);
    world_recover(&world, SIDE_RECV, plain, &result);
    kill(other, SIGKILL);
    assert_int_equal(waitpid(other, NULL, 0), other);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "another guardian");
    assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_RUNNING);
    assert_int_equal(recover_at(&world, SIDE_RECV, plain), OUTCOME_DONE);
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
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_false(result.choice);
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

/* A guest that needs a moment to go on, and a peer that goes away in it. */
struct slow_guest {
    struct guest base;
    int peer_fd;
};

static enum run_state is_paused(struct guest *guest)
{
    (void)guest;
    return RUN_PAUSED;
}

static bool go_on_slowly(struct guest *guest, struct error *err)
{
    close(((struct slow_guest *)guest)->peer_fd);
    return loop_pause(guest->context.loop, 20, err);
}

static void stay(struct guest *guest)
{
    (void)guest;
}

static void a_peer_that_goes_away_does_not_keep_the_guest_from_running(void **unused)
{
    static const struct guest_ops ops = { .state = is_paused,
                                          .resume = go_on_slowly,
                                          .free = stay };
    struct slow_guest guest = { .base = { .ops = &ops, .found = true } };
    struct loop *loop = loop_new();
    struct error err = { 0 };
    struct migration m;
    int pair[2];
    SCENE;

    make_pair(pair);
    guest.peer_fd = pair[1];
    guest.base.context.loop = loop;
    migration_init(&m, SIDE_SEND, loop, &world.options, world.state_dir[SIDE_SEND],
                   world.runtime_dir[SIDE_SEND]);
    journal_new_id(world.id);
    assert_ok(migration_set_id(&m, world.id, &err), &err);
    m.guest = &guest.base;
    m.peer = session_new(loop, pair[0], pair[0], SIDE_SEND, world.options.timing, &err);
    m.journal = journal_create(m.state_dir, m.id, m.side, &world.identity[SIDE_SEND], NULL, &err);
    assert_ok(verdict_let_run(&m, &err), &err);
    migration_done(&m);
    loop_free(loop);
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
    assert_says(result.error.text, "another machine");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_without_mirrors_succeeds),
        cmocka_unit_test(a_refused_check_touches_nothing),
        cmocka_unit_test(a_dry_run_plans_on_both_sides_and_touches_nothing),
        cmocka_unit_test(a_sender_that_dies_after_commit_is_asked_to_go_again),
        cmocka_unit_test(a_sender_that_crashes_before_its_last_record_leaves_nothing_but_that),
        cmocka_unit_test(a_receiver_that_cannot_take_the_migration_on_decides_nothing),
        cmocka_unit_test(a_guardian_settles_it_as_recover_would),
        cmocka_unit_test(a_guardian_leaves_it_to_one_that_is_at_it),
        cmocka_unit_test(a_verdict_is_asked_past_a_way_that_has_died),
        cmocka_unit_test(a_verdict_is_asked_by_the_old_way_where_no_new_login_is_possible),
        cmocka_unit_test(after_the_lease_the_source_gets_its_guest_back_by_proof),
        cmocka_unit_test(complete_disks_stay_until_the_sender_has_settled),
        cmocka_unit_test(the_operator_may_discard_kept_disks),
        cmocka_unit_test(an_unreachable_target_after_commit_is_undecided_and_touches_nothing),
        cmocka_unit_test(an_unreachable_target_is_asked_less_and_less_often_and_that_is_said_once),
        cmocka_unit_test(a_guest_that_has_turned_itself_off_leaves_nothing_to_settle),
        cmocka_unit_test(a_sender_whose_last_word_is_lost_does_not_close_its_journal),
        cmocka_unit_test(a_peer_that_goes_away_does_not_keep_the_guest_from_running),
        cmocka_unit_test(a_target_without_its_journal_proves_nothing),
        cmocka_unit_test(another_machine_at_the_targets_address_proves_nothing),
        cmocka_unit_test(a_question_without_the_token_gets_no_verdict),
        cmocka_unit_test(a_failure_tells_its_stage),
        cmocka_unit_test(the_targets_journal_tells_where_the_guest_came_from),
        cmocka_unit_test(the_sources_journal_tells_by_what_the_guest_is_found_again),
        cmocka_unit_test(shared_images_wait_for_the_proof_before_the_guest_runs_again),
        cmocka_unit_test(recovering_twice_changes_nothing),
        cmocka_unit_test(leftovers_at_the_source_still_say_where_the_guest_runs),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The source's guest has died, and the target may have all of it: a person chooses. */
#include "scene.h"

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
    static const struct recover_options forward_on_my_word = { .forward = true, .word = true };
    SCENE;

    lose_the_source_at_prepared(&world);
    write_to_the_sources_disks(&world);
    world_recover(&world, SIDE_SEND, forward_on_my_word, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "written to");
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

/* The target's machine has another xmig by now, without what the VM needs. */
static void lose_the_targets_hypervisor(struct world *world)
{
    const char *state_dir = world->state_dir[SIDE_RECV];
    const struct identity *identity = &world->identity[SIDE_RECV];
    enum journal_health health;
    struct journal *journal =
        journal_open(state_dir, world->id, SIDE_RECV, identity, &health, NULL);
    AUTO_JSON cJSON *facts = must(cJSON_CreateObject());
    const cJSON *begin = journal_find(journal, RECORD_BEGIN);

    cJSON_AddStringToObject(facts, "token", json_string_or(begin, "token", ""));
    cJSON_AddStringToObject(facts, "host", "another");
    journal_free(journal);
    world_lose_journal(world, SIDE_RECV);
    journal = must(journal_create(state_dir, world->id, SIDE_RECV, identity, facts, NULL));
    assert_true(journal_append(journal, RECORD_PREPARED, NULL, NULL));
    journal_free(journal);
}

static void a_copy_at_a_target_that_cannot_look_at_it_decides_nothing(void **unused)
{
    SCENE;
    world_lose_all_but_the_copy(&world);
    lose_the_targets_hypervisor(&world);
    world_recover(&world, SIDE_SEND, plain, &result);
    assert_int_equal(result.outcome, OUTCOME_UNDECIDED);
    assert_says(result.error.text, "cannot handle a 'another' VM");
    assert_int_equal(world_last_record(&world, SIDE_SEND), RECORD_PAUSING);
    assert_int_equal(world_state(&world, SIDE_RECV), RUN_PAUSED);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_disks_of_a_guest_that_is_gone_are_kept_and_asked_for_once),
        cmocka_unit_test(a_complete_copy_of_a_guest_that_died_at_the_source_is_offered),
        cmocka_unit_test(forward_lets_the_targets_complete_copy_go_on),
        cmocka_unit_test(forward_is_refused_where_somebody_has_run_the_guest_since),
        cmocka_unit_test(the_choice_is_not_made_at_the_target),
        cmocka_unit_test(forward_is_refused_while_the_guest_is_alive_here),
        cmocka_unit_test(a_dead_guests_complete_copy_at_an_unreachable_target_waits_for_a_person),
        cmocka_unit_test(a_copy_at_a_target_that_cannot_look_at_it_decides_nothing),
        cmocka_unit_test(forward_after_the_lease_gives_the_guest_back),
        cmocka_unit_test(forward_works_without_the_process_that_received),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every fault point of every stage, phase and side, and a crash before and after every
 * journal record, through the real pipeline, session, lanes and journals. Whatever happens,
 * exactly one side owns the running VM, exit status and recover say which, and
 * nothing is left over.
 */

#include "tests/unit/helpers.h"
#include "world.h"
#include "xmig/stage.h"

/* ---- what must hold ---- */

static bool overlap(const struct machine *a, const struct machine *b)
{
    for (size_t i = 0; i < a->run_count; i++)
        for (size_t j = 0; j < b->run_count; j++) {
            uint64_t a_end = a->runs[i][1] ? a->runs[i][1] : UINT64_MAX;
            uint64_t b_end = b->runs[j][1] ? b->runs[j][1] : UINT64_MAX;

            if (a->runs[i][0] < b_end && b->runs[j][0] < a_end)
                return true;
        }
    return false;
}

static void assert_one_copy_runs(const struct world *world, struct machine machines[2])
{
    world_look(world, SIDE_SEND, &machines[SIDE_SEND]);
    world_look(world, SIDE_RECV, &machines[SIDE_RECV]);
    assert_false(overlap(&machines[SIDE_SEND], &machines[SIDE_RECV]));
    assert_int_equal(
        (machines[SIDE_SEND].state == RUN_RUNNING) + (machines[SIDE_RECV].state == RUN_RUNNING), 1);
}

static void assert_no_write_lost(const struct machine machines[2])
{
    if (machines[SIDE_RECV].state != RUN_RUNNING)
        return;
    for (size_t i = 0; i < machines[SIDE_SEND].disk_count; i++)
        assert_int_equal(machines[SIDE_RECV].writes[i], machines[SIDE_SEND].writes[i]);
}

static void assert_no_sockets_left(const struct world *world)
{
    for (int side = 0; side < 2; side++) {
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", world->runtime_dir[side], world->id);
        assert_int_not_equal(access(path, F_OK), 0);
    }
}

static void assert_settled(const struct world *world, const struct result *result)
{
    struct machine machines[2];

    assert_one_copy_runs(world, machines);
    assert_no_write_lost(machines);
    assert_no_sockets_left(world);
    if (machines[SIDE_RECV].state == RUN_RUNNING) {
        assert_true(result->outcome == OUTCOME_DONE || result->outcome == OUTCOME_CLEANUP);
        assert_int_equal(machines[SIDE_SEND].state, RUN_GONE);
    } else {
        assert_true(result->outcome == OUTCOME_ROLLED_BACK || result->outcome == OUTCOME_REFUSED ||
                    result->outcome == OUTCOME_LOCAL_ERROR);
        assert_false(machines[SIDE_SEND].fenced);
        assert_int_equal(machines[SIDE_RECV].state, RUN_GONE);
        if (machines[SIDE_RECV].disks[0])
            assert_string_not_equal(machines[SIDE_RECV].disks, "made");
    }
}

/* ---- a fault, and everything a person would then do ---- */

static bool is_final(const struct result *result)
{
    return !result->crashed && result->outcome != OUTCOME_UNDECIDED &&
           result->outcome != OUTCOME_PAUSED;
}

/* The simulated VM's file exists from the journal's first record on; before, the VM is untouched.
 */
static bool nothing_began(const struct world *world)
{
    return world_last_record(world, SIDE_SEND) == RECORD_NONE;
}

static void recover_everything(struct world *world, struct result *result)
{
    struct recover_options plain = { 0 };
    struct result other;

    world->options.fault = (struct fault){ 0 };
    world->options.until = NULL;
    world->options.patience_ms = 10000;
    if (!is_final(result) || world_last_record(world, SIDE_SEND) != RECORD_CLOSED)
        world_recover(world, SIDE_SEND, plain, result);
    world_join(world);
    if (world_last_record(world, SIDE_RECV) != RECORD_NONE &&
        world_last_record(world, SIDE_RECV) != RECORD_CLOSED)
        world_recover(world, SIDE_RECV, plain, &other);
}

/* Nobody owes anybody anything any more, and the journals say how it came to that. */
static void assert_closed(const struct world *world)
{
    enum record received = world_last_record(world, SIDE_RECV);

    assert_int_equal(world_last_record(world, SIDE_SEND), RECORD_CLOSED);
    assert_true(received == RECORD_CLOSED || received == RECORD_NONE);
    world_replay(world, SIDE_SEND);
    world_replay(world, SIDE_RECV);
}

static void survive(const struct fault *fault, const char *until)
{
    struct world world;
    struct result result;

    world_init(&world);
    world.options.fault = *fault;
    world.options.until = until;
    world_send(&world, &result);
    if (!nothing_began(&world)) {
        recover_everything(&world, &result);
        if (until && result.outcome == OUTCOME_DONE)
            result.outcome = OUTCOME_ROLLED_BACK;
        assert_settled(&world, &result);
        assert_closed(&world);
    } else {
        enum record received;

        world_join(&world);
        received = world_last_record(&world, SIDE_RECV);
        assert_true(result.crashed || result.outcome == OUTCOME_REFUSED ||
                    result.outcome == OUTCOME_LOCAL_ERROR || result.outcome == OUTCOME_ROLLED_BACK);
        assert_true(received == RECORD_NONE || received == RECORD_CLOSED);
    }
    world_done(&world);
}

static size_t runs;

static void strike(const char *point, enum fault_phase phase, enum side side, enum fault_how how,
                   const char *until)
{
    struct fault fault = { .phase = phase, .side = side, .how = how };
    char *text;

    snprintf(fault.point, sizeof(fault.point), "%s", point);
    text = fault_print(&fault);
    if (getenv("XMIG_TEST_VERBOSE"))
        print_message("%s%s%s\n", text, until ? " until " : "", until ? until : "");
    if (!getenv("XMIG_TEST_FAULT") || !strcmp(getenv("XMIG_TEST_FAULT"), text)) {
        survive(&fault, until);
        runs++;
    }
    free(text);
}

static void for_every_way(const char *point, enum fault_phase phase, const char *until)
{
    static const enum fault_how ways[] = { FAULT_FAIL, FAULT_LOSE, FAULT_CRASH };

    for (int side = SIDE_SEND; side <= SIDE_RECV; side++)
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
            strike(point, phase, (enum side)side, ways[i], until);
}

/* ---- the tests ---- */

static void a_move_succeeds_without_a_fault(void **unused)
{
    struct world world;
    struct result result;
    (void)unused;

    world_init(&world);
    world_send(&world, &result);
    world_join(&world);
    assert_string_equal(result.error.text, "");
    assert_int_equal(result.outcome, OUTCOME_DONE);
    assert_int_equal(world_received(&world)->outcome, OUTCOME_DONE);
    assert_settled(&world, &result);
    world_done(&world);
}

static void moves_by_compressed_lanes(void **unused)
{
    struct world world;
    struct result result;
    (void)unused;

    world_init(&world);
    world.options.compress = true;
    world_send(&world, &result);
    world_join(&world);
    assert_string_equal(result.error.text, "");
    assert_int_equal(result.outcome, OUTCOME_DONE);
    assert_int_equal(world.compressed_lanes, 3); /* two disks, and RAM */
    assert_settled(&world, &result);
    world_done(&world);
}

/* Both hypervisors know only that the lane has ended. */
static void a_lane_that_was_damaged_is_named_as_the_cause(void **unused)
{
    static const char damage[] = "ram-stream: lane lz4/ram: damaged on its way to the target "
                                 "(LZ4: ERROR_frameType_unknown)";
    struct world world;
    struct result result;
    (void)unused;

    world_init(&world);
    world.options.compress = true;
    world.damaged_lane = "lz4/ram";
    world_send(&world, &result);
    world_join(&world);
    assert_int_equal(result.outcome, OUTCOME_ROLLED_BACK);
    assert_string_equal(world_received(&world)->error.text, damage);
    assert_says(result.error.text, damage);
    assert_settled(&world, &result);
    world_done(&world);
}

static void a_peer_of_another_protocol_is_refused_before_anything_is_touched(void **unused)
{
    struct world world;
    struct result result;
    (void)unused;

    world_init(&world);
    world.older_peer = true;
    world_send(&world, &result);
    world_join(&world);
    assert_int_equal(result.outcome, OUTCOME_REFUSED);
    assert_says(result.error.text, "xmig 0.1, which speaks protocol 2");
    assert_says(result.error.text, "install the newer one");
    assert_true(nothing_began(&world));
    assert_int_equal(world_received(&world)->error.kind, ERROR_LOST);
    world_done(&world);
}

static void survives_a_fault_at_every_point_of_every_stage(void **unused)
{
    static const enum fault_phase phases[] = { FAULT_CHECK, FAULT_BEGIN, FAULT_END, FAULT_FINISH };
    (void)unused;

    for (const struct stage *const *stage = stage_catalog; *stage; stage++)
        for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
            for_every_way((*stage)->name, phases[i], NULL);
}

static void survives_a_fault_in_every_undo(void **unused)
{
    (void)unused;
    for (const struct stage *const *until = stage_catalog; (*until)->name != NULL; until++) {
        for (const struct stage *const *stage = stage_catalog;; stage++) {
            strike((*stage)->name, FAULT_UNDO, SIDE_SEND, FAULT_CRASH, (*until)->name);
            strike((*stage)->name, FAULT_UNDO, SIDE_RECV, FAULT_CRASH, (*until)->name);
            if (*stage == *until)
                break;
        }
        if (!strcmp((*until)->name, "ram-stream"))
            break;
    }
}

static void survives_a_crash_before_and_after_every_record(void **unused)
{
    (void)unused;
    for (int record = RECORD_BEGIN; record < RECORD_COUNT; record++) {
        for_every_way(record_name((enum record)record), FAULT_BEFORE, NULL);
        for_every_way(record_name((enum record)record), FAULT_AFTER, NULL);
    }
}

static void every_until_rolls_back_cleanly(void **unused)
{
    (void)unused;
    for (const struct stage *const *stage = stage_catalog;
         strcmp((*stage)->name, "incoming-resume"); stage++) {
        struct world world;
        struct result result;

        world_init(&world);
        world.options.until = (*stage)->name;
        world_send(&world, &result);
        world_join(&world);
        assert_int_equal(result.outcome, OUTCOME_DONE);
        assert_int_equal(result.state, RUN_RUNNING);
        result.outcome = OUTCOME_ROLLED_BACK;
        assert_settled(&world, &result);
        assert_int_equal(world_last_record(&world, SIDE_RECV), RECORD_CLOSED);
        world_done(&world);
    }
}

/* ---- chains of faults, drawn by a seed ---- */

static unsigned draw(unsigned *seed, unsigned below)
{
    return (unsigned)rand_r(seed) % below;
}

static void draw_fault(unsigned *seed, struct fault *fault)
{
    bool at_record = draw(seed, 2);
    const char *point =
        at_record
            ? record_name((enum record)(RECORD_BEGIN + draw(seed, RECORD_COUNT - RECORD_BEGIN)))
            : stage_catalog[draw(seed, 6)]->name;

    *fault = (struct fault){
        .phase = at_record ? FAULT_BEFORE + draw(seed, 2) : FAULT_BEGIN + draw(seed, 4),
        .side = (enum side)draw(seed, 2),
        .how = (enum fault_how)draw(seed, 3),
    };
    snprintf(fault->point, sizeof(fault->point), "%s", point);
}

static void one_chain(unsigned seed)
{
    struct world world;
    struct result result;
    unsigned links;

    world_init(&world);
    draw_fault(&seed, &world.options.fault);
    world_send(&world, &result);
    links = draw(&seed, 4);
    for (unsigned i = 0; i < links && !nothing_began(&world); i++) {
        enum side side = (enum side)draw(&seed, 2);

        draw_fault(&seed, &world.options.fault);
        world.unreachable = draw(&seed, 4) == 0;
        if (world_last_record(&world, side) == RECORD_NONE)
            continue;
        /* A living receiver is not recovered: a person would be told that it is at work. */
        if (side == SIDE_RECV)
            world_join_dead(&world);
        if (side == SIDE_SEND || world_all_joined(&world))
            world_recover(&world, side, (struct recover_options){ 0 }, &result);
    }
    world.unreachable = false;
    if (!nothing_began(&world)) {
        world_recover(&world, SIDE_SEND, (struct recover_options){ 0 }, &result);
        recover_everything(&world, &result);
        assert_settled(&world, &result);
        assert_closed(&world);
    }
    world_done(&world);
}

static void survives_chains_of_faults(void **unused)
{
    enum {
        CHAINS = 700
    };
    (void)unused;

    for (unsigned seed = 1; seed <= CHAINS; seed++) {
        if (getenv("XMIG_TEST_VERBOSE"))
            print_message("chain %u\n", seed);
        if (getenv("XMIG_TEST_CHAIN") && (unsigned)atoi(getenv("XMIG_TEST_CHAIN")) != seed)
            continue;
        one_chain(seed);
        runs++;
    }
}

static int count_runs(void **unused)
{
    (void)unused;
    print_message("%zu faults survived\n", runs);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_succeeds_without_a_fault),
        cmocka_unit_test(moves_by_compressed_lanes),
        cmocka_unit_test(a_lane_that_was_damaged_is_named_as_the_cause),
        cmocka_unit_test(a_peer_of_another_protocol_is_refused_before_anything_is_touched),
        cmocka_unit_test(every_until_rolls_back_cleanly),
        cmocka_unit_test(survives_a_fault_at_every_point_of_every_stage),
        cmocka_unit_test(survives_a_fault_in_every_undo),
        cmocka_unit_test(survives_a_crash_before_and_after_every_record),
        cmocka_unit_test(survives_chains_of_faults),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, count_runs);
}

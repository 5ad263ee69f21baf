/* A mirror starts and tells how far it is, against a QEMU that is only a script. */
#include "tests/unit/mirror-scene.h"

/* ---- names and numbers ---- */

static void names_fit_qemus_limit_and_stay_different(void **unused)
{
    char a[QMP_NODE_NAME_SIZE], b[QMP_NODE_NAME_SIZE];
    (void)unused;

    qmp_mirror_name(ID, "vda", a);
    assert_string_equal(a, NAME_A);
    qmp_mirror_name(ID, "a-disk-with-a-very-long-name-1", a);
    qmp_mirror_name(ID, "a-disk-with-a-very-long-name-2", b);
    assert_string_not_equal(a, b);
    assert_memory_equal(a, "xmig-01234567-", 14);
}

static void granularity_is_fine_unless_the_disk_is_huge(void **unused)
{
    const uint64_t tib = UINT64_C(1) << 40;
    (void)unused;

    assert_int_equal(qmp_mirror_granularity(0), 4096);
    assert_int_equal(qmp_mirror_granularity(tib), 4096);
    assert_int_equal(qmp_mirror_granularity(tib + 8 * 4096), 8192);
    assert_int_equal(qmp_mirror_granularity(2 * tib), 8192);
    assert_int_equal(qmp_mirror_granularity(4 * tib), 16384);
    assert_int_equal(qmp_mirror_granularity(1000 * tib), 65536);
}

/* ---- start ---- */

static bool start_vda(struct qmp *q, struct error *err)
{
    const struct qmp_mirror mirror = {
        .id = ID, .disk = "vda", .device = "virtio0", .socket = "/nbd", .size = 1 << 20
    };

    return qmp_mirror_start(q, &mirror, err);
}

static bool start_vda_on_zeroes(struct qmp *q, struct error *err)
{
    const struct qmp_mirror mirror = {
        .id = ID, .disk = "vda", .device = "virtio0", .socket = "/nbd", .target_is_zero = true
    };

    return qmp_mirror_start(q, &mirror, err);
}

static void mirrors_into_a_node_of_its_own_that_keeps_thin_disks_thin(void **unused)
{
    const struct exchange script[] = {
        { "blockdev-add", .with =
                              "\"reconnect-delay\":0,\"discard\":\"unmap\",\"node-name\":\"" NAME_A
                              "\",\"detect-zeroes\":\"unmap\"" },
        { "blockdev-mirror", .with = "\"device\":\"virtio0\",\"target\":\"" NAME_A "\"" },
        { 0 },
    };
    (void)unused;

    succeeds(script, start_vda);
}

static bool start_vda_in_full(struct qmp *q, struct error *err)
{
    const struct qmp_mirror mirror = {
        .id = ID, .disk = "vda", .device = "virtio0", .socket = "/nbd", .full = true
    };

    return qmp_mirror_start(q, &mirror, err);
}

static void unmaps_nothing_of_a_disk_that_stays_allocated_in_full(void **unused)
{
    const struct exchange script[] = {
        { "blockdev-add",
          .with = "\"discard\":\"ignore\"},\"node-name\":\"" NAME_A "\",\"detect-zeroes\":\"on\"" },
        { "blockdev-mirror", .reply = NULL },
        { 0 },
    };
    (void)unused;

    succeeds(script, start_vda_in_full);
}

static void leaves_no_node_when_the_job_does_not_start(void **unused)
{
    const struct exchange script[] = {
        { "blockdev-add", .reply = NULL },
        { "blockdev-mirror", .reply = "error: Device 'virtio0' not found" },
        { "blockdev-del", .with = NAME_A },
        { 0 },
    };
    struct error err = failure_of(script, start_vda);
    (void)unused;

    assert_string_equal(err.text, "vda: cannot start its mirror: QEMU refused blockdev-mirror: "
                                  "Device 'virtio0' not found");
}

static const char qemu_10_1[] = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, "
                                "\"minor\": 1, \"major\": 10}}, \"capabilities\": []}}";

static void skips_zeroing_where_qemu_can(void **unused)
{
    const struct exchange script[] = {
        { "blockdev-add", .with = "\"detect-zeroes\":\"on\"" },
        { "blockdev-mirror", .with = "\"target-is-zero\":true" },
        { 0 },
    };
    (void)unused;

    succeeds_with(qemu_10_1, script, start_vda_on_zeroes);
}

static void takes_no_target_for_zero_that_is_not_known_to_be(void **unused)
{
    const struct exchange script[] = {
        { "blockdev-add", .with = "\"detect-zeroes\":\"unmap\"" },
        { "blockdev-mirror", .with = "\"sync\":\"full\"" },
        { 0 },
    };
    (void)unused;

    succeeds_with(qemu_10_1, script, start_vda);
}

#define BLOCK(DEPTH)                                                                               \
    "[{\"device\": \"ide0-cd0\"}, {\"device\": \"virtio0\", \"inserted\": "                        \
    "{\"backing_file_depth\": " DEPTH "}}]"

static void lets_an_older_qemu_skip_zeroing_by_another_word(void **unused)
{
    const struct exchange script[] = {
        { "blockdev-add", .reply = NULL },
        { "query-block", .reply = BLOCK("0") },
        { "blockdev-mirror", .with = "\"sync\":\"top\"" },
        { "query-block", .reply = BLOCK("0") },
        { 0 },
    };
    (void)unused;

    succeeds(script, start_vda_on_zeroes);
}

static void copies_all_of_a_disk_that_lies_on_another_image(void **unused)
{
    const struct exchange script[] = {
        { "blockdev-add", .reply = NULL },
        { "query-block", .reply = BLOCK("1") },
        { "blockdev-mirror", .with = "\"sync\":\"full\"" },
        { 0 },
    };
    (void)unused;

    succeeds(script, start_vda_on_zeroes);
}

static void copies_all_of_a_disk_that_qemu_does_not_tell_to_stand_alone(void **unused)
{
    static const char *const replies[] = {
        "error: no", "[]", "[{\"device\": \"virtio0\"}]",
        "[{\"device\": \"virtio0\", \"inserted\": {}}]",
        "[{\"device\": \"virtio0\", \"inserted\": {\"backing_file_depth\": 0, "
        "\"backing_file\": \"base\"}}]"
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        const struct exchange script[] = {
            { "blockdev-add", .reply = NULL },
            { "query-block", .reply = replies[i] },
            { "blockdev-mirror", .with = "\"sync\":\"full\"" },
            { 0 },
        };

        succeeds(script, start_vda_on_zeroes);
    }
}

static void a_snapshot_at_the_moment_of_the_start_is_noticed(void **unused)
{
    const struct exchange script[] = {
        { "blockdev-add", .reply = NULL },
        { "query-block", .reply = BLOCK("0") },
        { "blockdev-mirror", .with = "\"sync\":\"top\"" },
        { "query-block", .reply = BLOCK("1") },
        { "query-block-jobs", .reply = "[" FAILED(NAME_A) "]" },
        { "job-dismiss", .with = NAME_A },
        { "query-named-block-nodes", .reply = "[{\"node-name\": \"" NAME_A "\"}]" },
        { "blockdev-del", .with = NAME_A },
        { "blockdev-del", .with = NAME_A },
        { 0 },
    };
    struct error err = failure_of(script, start_vda_on_zeroes);
    (void)unused;

    assert_string_equal(err.text,
                        "vda: cannot start its mirror: somebody has just made a snapshot of it");
}

static void zeroes_what_is_not_known_to_be_zero(void **unused)
{
    const struct exchange script[] = {
        { "blockdev-add", .reply = NULL },
        { "blockdev-mirror", .with = "\"sync\":\"full\"" },
        { 0 },
    };
    (void)unused;

    succeeds(script, start_vda);
}

/* ---- state ---- */

static struct qmp_mirror_state state;

static bool ask_vda(struct qmp *q, struct error *err)
{
    return qmp_mirror_state(q, ID, "vda", &state, err);
}

static void tells_how_far_a_mirror_is(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[" JOB(NAME_B, "running", "") ", " READY(NAME_A) "]" },
        { 0 },
    };
    (void)unused;

    succeeds(script, ask_vda);
    assert_true(state.ready);
    assert_int_equal(state.done, 5);
    assert_int_equal(state.total, 7);
}

static void before_a_mirror_copies_its_target_tells_how_far_it_is(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs",
          .reply = "[{\"device\": \"" NAME_A "\", \"status\": \"running\", \"len\": 0}]" },
        { "query-blockstats", .with = "\"query-nodes\":true",
          .reply = "[{\"node-name\": \"disk\", \"stats\": {\"wr_highest_offset\": 7}}, "
                   "{\"node-name\": \"" NAME_A "\", \"stats\": {\"wr_highest_offset\": 4096}}]" },
        { 0 },
    };
    (void)unused;

    succeeds(script, ask_vda);
    assert_int_equal(state.total, 0);
    assert_int_equal(state.zeroed, 4096);
}

static void tells_why_a_mirror_has_failed(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[" FAILED(NAME_A) "]" },
        { 0 },
    };
    struct error err = failure_of(script, ask_vda);
    (void)unused;

    assert_string_equal(err.text, "vda: its mirror has failed: Input/output error");
}

static void a_mirror_that_vanished_has_failed(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[" READY(NAME_B) "]" },
        { 0 },
    };
    struct error err = failure_of(script, ask_vda);
    (void)unused;

    assert_int_equal(err.kind, ERROR_SYSTEM);
}

static uint64_t debt;

static bool ask_both(struct qmp *q, struct error *err)
{
    return qmp_mirrors_debt(q, ID, both, 2, &debt, err);
}

static void asks_once_what_all_mirrors_still_have_to_copy(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[" JOB(NAME_B, "running", "") ", " READY(NAME_A) "]" },
        { 0 },
    };
    (void)unused;

    succeeds(script, ask_both);
    assert_int_equal(debt, 4);
}

static void one_failed_mirror_among_others_is_found(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[" READY(NAME_A) ", " FAILED(NAME_B) "]" },
        { 0 },
    };
    struct error err = failure_of(script, ask_both);
    (void)unused;

    assert_string_equal(err.text, "vdb: its mirror has failed: Input/output error");
}

static bool ask_then_wait(struct qmp *q, struct error *err)
{
    enum {
        LONG_MS = 20000
    };
    uint64_t begun_ms = loop_now_ms();
    size_t heard = 0;

    return ask_vda(q, err) && qmp_mirror_wait(q, &heard, LONG_MS, err) &&
           loop_now_ms() - begun_ms < LONG_MS / 2;
}

static void waits_for_a_mirror_no_longer_than_until_it_has_caught_up(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[" JOB(NAME_A, "running", "") "]",
          .events = { "{\"event\": \"BLOCK_JOB_READY\", \"data\": {\"device\": \"" NAME_A
                      "\"}}" } },
        { 0 },
    };
    (void)unused;

    succeeds(script, ask_then_wait);
}

static bool wait_a_moment(struct qmp *q, struct error *err)
{
    size_t heard = 0;

    return qmp_mirror_wait(q, &heard, 5, err);
}

static void a_mirror_that_does_not_catch_up_is_looked_at_again(void **unused)
{
    const struct exchange script[] = { { 0 } };
    (void)unused;

    succeeds(script, wait_a_moment);
}

static bool ask_then_wait_for_nobody(struct qmp *q, struct error *err)
{
    struct error unheard = { 0 };
    size_t heard = 0;

    (void)ask_vda(q, &unheard);
    return qmp_mirror_wait(q, &heard, 20000, err);
}

static void a_qemu_that_goes_away_is_not_waited_for(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .action = FAKE_HANG_UP },
        { 0 },
    };
    struct error err = failure_of(script, ask_then_wait_for_nobody);
    (void)unused;

    assert_int_equal(err.kind, ERROR_LOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_fit_qemus_limit_and_stay_different),
        cmocka_unit_test(granularity_is_fine_unless_the_disk_is_huge),
        cmocka_unit_test(mirrors_into_a_node_of_its_own_that_keeps_thin_disks_thin),
        cmocka_unit_test(unmaps_nothing_of_a_disk_that_stays_allocated_in_full),
        cmocka_unit_test(leaves_no_node_when_the_job_does_not_start),
        cmocka_unit_test(skips_zeroing_where_qemu_can),
        cmocka_unit_test(lets_an_older_qemu_skip_zeroing_by_another_word),
        cmocka_unit_test(copies_all_of_a_disk_that_lies_on_another_image),
        cmocka_unit_test(takes_no_target_for_zero_that_is_not_known_to_be),
        cmocka_unit_test(copies_all_of_a_disk_that_qemu_does_not_tell_to_stand_alone),
        cmocka_unit_test(a_snapshot_at_the_moment_of_the_start_is_noticed),
        cmocka_unit_test(zeroes_what_is_not_known_to_be_zero),
        cmocka_unit_test(tells_how_far_a_mirror_is),
        cmocka_unit_test(before_a_mirror_copies_its_target_tells_how_far_it_is),
        cmocka_unit_test(tells_why_a_mirror_has_failed),
        cmocka_unit_test(a_mirror_that_vanished_has_failed),
        cmocka_unit_test(asks_once_what_all_mirrors_still_have_to_copy),
        cmocka_unit_test(one_failed_mirror_among_others_is_found),
        cmocka_unit_test(waits_for_a_mirror_no_longer_than_until_it_has_caught_up),
        cmocka_unit_test(a_mirror_that_does_not_catch_up_is_looked_at_again),
        cmocka_unit_test(a_qemu_that_goes_away_is_not_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

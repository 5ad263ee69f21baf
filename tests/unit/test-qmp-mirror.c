/* Mirrors, against a QEMU that is only a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "qmp/mirror-guard.h"
#include "tests/fake/fake-qemu.h"

#define ID "0123456789abcdef"
#define NAME_A "xmig-01234567-vda"
#define NAME_B "xmig-01234567-vdb"

#define JOB(NAME, STATUS, REST)                                                                    \
    "{\"device\": \"" NAME "\", \"status\": \"" STATUS "\", \"offset\": 5, \"len\": 7" REST "}"
#define READY(NAME) JOB(NAME, "ready", ", \"ready\": true")
#define CONCLUDED(NAME) JOB(NAME, "concluded", "")
#define FAILED(NAME) JOB(NAME, "concluded", ", \"error\": \"Input/output error\"")

#define STATUS(NAME, STATUS)                                                                       \
    "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"" NAME "\", \"status\": \"" STATUS    \
    "\"}}"
#define COMPLETED(NAME)                                                                            \
    "{\"event\": \"BLOCK_JOB_COMPLETED\", \"data\": {\"device\": \"" NAME "\"}}",                  \
        STATUS(NAME, "concluded")
#define COMPLETED_WITH_ERROR(NAME)                                                                 \
    "{\"event\": \"BLOCK_JOB_COMPLETED\", \"data\": {\"device\": \"" NAME                          \
    "\", \"error\": \"Input/output error\"}}",                                                     \
        STATUS(NAME, "concluded")
#define CANCELLED(NAME)                                                                            \
    "{\"event\": \"BLOCK_JOB_CANCELLED\", \"data\": {\"device\": \"" NAME "\"}}",                  \
        STATUS(NAME, "concluded")

static const char *const both[] = { "vda", "vdb" };

/* What a test does with a connection to the scripted QEMU. */
typedef bool deed(struct qmp *q, struct error *err);

static bool run_against_version(const char *greeting, const struct exchange *script, deed *act,
                                struct error *err)
{
    struct loop *loop = loop_new();
    struct fake_qemu *fake = fake_qemu_new(loop, script);
    struct qmp *q;
    bool ok;

    if (greeting)
        fake_qemu_greet_with(fake, greeting);
    q = qmp_connect(loop, fake_qemu_path(fake), QMP_CONNECT_MS, err);
    assert_non_null(q);
    ok = act(q, err);
    assert_null(fake_qemu_complaint(fake));
    qmp_free(q);
    fake_qemu_free(fake);
    loop_free(loop);
    return ok;
}

static bool run_against(const struct exchange *script, deed *act, struct error *err)
{
    return run_against_version(NULL, script, act, err);
}

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
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, start_vda, &err));
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
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, start_vda_in_full, &err));
}

static void leaves_no_node_when_the_job_does_not_start(void **unused)
{
    const struct exchange script[] = {
        { "blockdev-add", .reply = NULL },
        { "blockdev-mirror", .reply = "error: Device 'virtio0' not found" },
        { "blockdev-del", .with = NAME_A },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, start_vda, &err));
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
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against_version(qemu_10_1, script, start_vda_on_zeroes, &err));
}

static void takes_no_target_for_zero_that_is_not_known_to_be(void **unused)
{
    const struct exchange script[] = {
        { "blockdev-add", .with = "\"detect-zeroes\":\"unmap\"" },
        { "blockdev-mirror", .with = "\"sync\":\"full\"" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against_version(qemu_10_1, script, start_vda, &err));
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
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, start_vda_on_zeroes, &err));
}

static void copies_all_of_a_disk_that_lies_on_another_image(void **unused)
{
    const struct exchange script[] = {
        { "blockdev-add", .reply = NULL },
        { "query-block", .reply = BLOCK("1") },
        { "blockdev-mirror", .with = "\"sync\":\"full\"" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, start_vda_on_zeroes, &err));
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
        struct error err = { 0 };

        assert_true(run_against(script, start_vda_on_zeroes, &err));
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
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, start_vda_on_zeroes, &err));
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
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, start_vda, &err));
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
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, ask_vda, &err));
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
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, ask_vda, &err));
    assert_int_equal(state.total, 0);
    assert_int_equal(state.zeroed, 4096);
}

static void tells_why_a_mirror_has_failed(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[" FAILED(NAME_A) "]" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, ask_vda, &err));
    assert_string_equal(err.text, "vda: its mirror has failed: Input/output error");
}

static void a_mirror_that_vanished_has_failed(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[" READY(NAME_B) "]" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, ask_vda, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
}

static uint64_t debt;
static bool all_ready;

static bool ask_both(struct qmp *q, struct error *err)
{
    return qmp_mirrors_debt(q, ID, both, 2, &debt, &all_ready, err);
}

static void asks_once_what_all_mirrors_still_have_to_copy(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[" JOB(NAME_B, "running", "") ", " READY(NAME_A) "]" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, ask_both, &err));
    assert_int_equal(debt, 4);
    assert_false(all_ready);
}

static void one_failed_mirror_among_others_is_found(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[" READY(NAME_A) ", " FAILED(NAME_B) "]" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, ask_both, &err));
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
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, ask_then_wait, &err));
}

static bool wait_a_moment(struct qmp *q, struct error *err)
{
    size_t heard = 0;

    return qmp_mirror_wait(q, &heard, 5, err);
}

static void a_mirror_that_does_not_catch_up_is_looked_at_again(void **unused)
{
    const struct exchange script[] = { { 0 } };
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, wait_a_moment, &err));
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
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, ask_then_wait_for_nobody, &err));
    assert_int_equal(err.kind, ERROR_LOST);
}

/* ---- drain ---- */

#define SAYS_BOTH_READY "query-block-jobs", .reply = "[" READY(NAME_A) ", " READY(NAME_B) "]"

static bool drain_both(struct qmp *q, struct error *err)
{
    enum {
        ENOUGH_MS = 10000
    };

    return qmp_mirrors_drain(q, ID, both, 2, ENOUGH_MS, err);
}

static bool drain_both_quickly(struct qmp *q, struct error *err)
{
    enum {
        SOON_MS = 50
    };

    return qmp_mirrors_drain(q, ID, both, 2, SOON_MS, err);
}

static void drains_all_at_once_and_asks_each_how_it_ended(void **unused)
{
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .with = "\"device\":\"" NAME_A "\",\"force\":false" },
        { "block-job-cancel", .with = "\"device\":\"" NAME_B "\",\"force\":false",
          .events = { COMPLETED(NAME_B), COMPLETED(NAME_A) } },
        { "query-block-jobs", .reply = "[" CONCLUDED(NAME_A) ", " CONCLUDED(NAME_B) "]" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, drain_both, &err));
}

static void ends_no_mirror_while_one_has_not_caught_up(void **unused)
{
    const char *const jobs = "[" READY(NAME_A) ", " JOB(NAME_B, "running", "") "]";
    const struct exchange script[] = {
        { "query-block-jobs", .reply = jobs },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, drain_both, &err));
    assert_string_equal(err.text, "vdb: its mirror has not caught up");
}

static void completed_with_an_error_is_a_failure(void **unused)
{
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .events = { COMPLETED_WITH_ERROR(NAME_A) } },
        { "block-job-cancel", .events = { COMPLETED(NAME_B) } },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, drain_both, &err));
    assert_string_equal(err.text, "vda: its mirror failed at the end: Input/output error");
}

static void cancelled_is_a_failure(void **unused)
{
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .events = { CANCELLED(NAME_A) } },
        { "block-job-cancel", .events = { COMPLETED(NAME_B) } },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, drain_both, &err));
    assert_string_equal(err.text, "vda: its mirror ended, but did not complete");
}

static void a_job_that_concluded_with_an_error_beats_its_event(void **unused)
{
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .events = { COMPLETED(NAME_A) } },
        { "block-job-cancel", .events = { COMPLETED(NAME_B) } },
        { "query-block-jobs", .reply = "[" FAILED(NAME_A) ", " CONCLUDED(NAME_B) "]" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, drain_both, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
}

static void a_job_dismissed_by_somebody_else_proves_nothing(void **unused)
{
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .events = { COMPLETED(NAME_A) } },
        { "block-job-cancel", .events = { COMPLETED(NAME_B) } },
        { "query-block-jobs", .reply = "[]" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, drain_both, &err));
}

static void gives_up_on_a_mirror_that_does_not_move(void **unused)
{
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .reply = NULL },
        { "block-job-cancel", .reply = NULL },
        { "query-block-jobs", .reply = "[" READY(NAME_A) ", " READY(NAME_B) "]" },
        { "query-block-jobs", .reply = "[" READY(NAME_A) ", " READY(NAME_B) "]" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, drain_both_quickly, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
}

static void a_mirror_that_moves_has_all_the_time_it_needs(void **unused)
{
#define AT(OFFSET)                                                                                 \
    "[{\"device\": \"" NAME_A "\", \"status\": \"ready\", \"offset\": " OFFSET                     \
    ", \"len\": 7, \"ready\": true}, " READY(NAME_B) "]"
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .reply = NULL },
        { "block-job-cancel", .events = { COMPLETED(NAME_B) } },
        { "query-block-jobs", .reply = AT("5") },
        { "query-block-jobs", .reply = AT("6") },
        { "query-block-jobs", .reply = AT("7"), .events = { COMPLETED(NAME_A) } },
        { "query-block-jobs", .reply = "[" CONCLUDED(NAME_A) ", " CONCLUDED(NAME_B) "]" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, drain_both_quickly, &err));
}

static void a_qemu_that_goes_away_while_a_mirror_ends_is_lost(void **unused)
{
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .reply = NULL },
        { "block-job-cancel", .reply = NULL },
        { "query-block-jobs", .action = FAKE_HANG_UP },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, drain_both_quickly, &err));
    assert_int_equal(err.kind, ERROR_LOST);
}

static void a_qemu_that_talks_nonsense_while_a_mirror_ends_is_not_listened_to(void **unused)
{
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .reply = NULL },
        { "block-job-cancel", .events = { "nonsense" } },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, drain_both, &err));
    assert_int_not_equal(err.kind, ERROR_NONE);
    assert_int_not_equal(err.kind, ERROR_TIMEOUT);
}

static void a_mirror_that_qemu_will_not_end_is_no_end(void **unused)
{
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .reply = "error: no" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, drain_both, &err));
    assert_non_null(strstr(err.text, "vda: "));
}

static void mirrors_that_cannot_be_asked_are_not_ended(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "error: no" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, drain_both, &err));
}

/* ---- stop ---- */

static bool stop_vda(struct qmp *q, struct error *err)
{
    return qmp_mirror_stop(q, ID, "vda", err);
}

#define NODES(NAME) "[{\"node-name\": \"disk\"}, {\"node-name\": \"" NAME "\"}]"

static void stops_by_force_until_the_job_has_ended(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[" READY(NAME_A) "]" },
        { "block-job-cancel", .with = "\"force\":true" },
        { "query-block-jobs", .reply = "[" READY(NAME_A) "]" },
        { "block-job-cancel", .with = "\"force\":true" },
        { "query-block-jobs", .reply = "[" FAILED(NAME_A) "]" },
        { "job-dismiss", .with = NAME_A },
        { "query-named-block-nodes", .reply = NODES(NAME_A) },
        { "blockdev-del", .with = NAME_A },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, stop_vda, &err));
}

#define NODES_ALL                                                                                  \
    "[{\"node-name\": \"" NAME_A "\"}, {\"node-name\": \"here-01234567-vda\"}, "                   \
    "{\"node-name\": \"keep-01234567-vda\"}, {\"node-name\": \"open-01234567-vda\"}]"

/* The one that refuses goes first: alone it would have QEMU abort. */
static void stopping_a_mirror_removes_its_guard(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[]" },
        { "query-named-block-nodes", .reply = NODES_ALL },
        { "blockdev-del", .with = "keep-01234567-vda" },
        { "blockdev-del", .with = "here-01234567-vda" },
        { "blockdev-del", .with = "open-01234567-vda" },
        { "blockdev-del", .with = NAME_A },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, stop_vda, &err));
}

static bool guard_vda(struct qmp *q, struct error *err)
{
    return mirror_guard(q, ID, "vda", "virtio0", err);
}

static void a_guarded_mirror_has_a_reader_before_it_has_a_refuser(void **unused)
{
    const struct exchange script[] = {
        { "query-block", .reply = "[{\"device\": \"virtio0\", \"qdev\": \"/machine/x\", "
                                  "\"inserted\": {\"node-name\": \"#block7\"}}]" },
        { "blockdev-add", .with = "\"open-01234567-vda\",\"file\":\"#block7\"" },
        { "blockdev-add", .with = "\"image\":\"#block7\",\"take-child-perms\"" },
        { "blockdev-add", .with = "\"image\":\"" NAME_A "\",\"unshare-child-perms\"" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, guard_vda, &err));
}

static void the_image_of_no_device_is_not_opened_for_writing(void **unused)
{
    const struct exchange script[] = {
        { "query-block", .reply = "[{\"device\": \"virtio0\", \"inserted\": "
                                  "{\"node-name\": \"#block7\"}}]" },
        { "blockdev-add", .with = "\"image\":\"#block7\",\"take-child-perms\"" },
        { "blockdev-add", .with = "\"image\":\"" NAME_A "\",\"unshare-child-perms\"" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, guard_vda, &err));
}

static void a_qemu_without_blkdebug_only_keeps_the_image_open(void **unused)
{
    const struct exchange script[] = {
        { "query-block", .reply = "[]" },
        { "blockdev-add", .with = "copy-on-read" },
        { "blockdev-add", .reply = "error: Unknown driver 'blkdebug'" },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_false(run_against(script, guard_vda, &err));
}

static void stopping_no_mirror_is_fine(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[]" },
        { "query-named-block-nodes", .reply = NODES("other") },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, stop_vda, &err));
}

static void tries_again_while_a_node_is_still_in_use(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[]" },
        { "query-named-block-nodes", .reply = NODES(NAME_A) },
        { "blockdev-del", .reply = "error: Node " NAME_A " is in use" },
        { "blockdev-del", .reply = NULL },
        { 0 },
    };
    struct error err = { 0 };
    (void)unused;

    assert_true(run_against(script, stop_vda, &err));
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
        cmocka_unit_test(drains_all_at_once_and_asks_each_how_it_ended),
        cmocka_unit_test(ends_no_mirror_while_one_has_not_caught_up),
        cmocka_unit_test(completed_with_an_error_is_a_failure),
        cmocka_unit_test(cancelled_is_a_failure),
        cmocka_unit_test(a_job_that_concluded_with_an_error_beats_its_event),
        cmocka_unit_test(a_job_dismissed_by_somebody_else_proves_nothing),
        cmocka_unit_test(gives_up_on_a_mirror_that_does_not_move),
        cmocka_unit_test(a_mirror_that_moves_has_all_the_time_it_needs),
        cmocka_unit_test(a_qemu_that_goes_away_while_a_mirror_ends_is_lost),
        cmocka_unit_test(a_qemu_that_talks_nonsense_while_a_mirror_ends_is_not_listened_to),
        cmocka_unit_test(a_mirror_that_qemu_will_not_end_is_no_end),
        cmocka_unit_test(mirrors_that_cannot_be_asked_are_not_ended),
        cmocka_unit_test(stops_by_force_until_the_job_has_ended),
        cmocka_unit_test(stopping_a_mirror_removes_its_guard),
        cmocka_unit_test(a_guarded_mirror_has_a_reader_before_it_has_a_refuser),
        cmocka_unit_test(the_image_of_no_device_is_not_opened_for_writing),
        cmocka_unit_test(a_qemu_without_blkdebug_only_keeps_the_image_open),
        cmocka_unit_test(stopping_no_mirror_is_fine),
        cmocka_unit_test(tries_again_while_a_node_is_still_in_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

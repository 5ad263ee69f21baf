/* The end of mirrors: drained together, or stopped, and the guard that goes with them. */
#include "tests/unit/mirror-scene.h"

#include "qmp/mirror-guard.h"

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
    (void)unused;

    succeeds(script, drain_both);
}

#define SAYS_ONE_READY                                                                             \
    "query-block-jobs", .reply = "[" READY(NAME_A) ", " JOB(NAME_B, "running", "") "]"

static void ends_no_mirror_before_all_have_caught_up(void **unused)
{
    const struct exchange script[] = {
        { SAYS_ONE_READY },
        { SAYS_BOTH_READY },
        { "block-job-cancel", .reply = NULL },
        { "block-job-cancel", .events = { COMPLETED(NAME_B), COMPLETED(NAME_A) } },
        { "query-block-jobs", .reply = "[" CONCLUDED(NAME_A) ", " CONCLUDED(NAME_B) "]" },
        { 0 },
    };
    (void)unused;

    succeeds(script, drain_both_quickly);
}

static void a_mirror_that_never_catches_up_is_given_up(void **unused)
{
    const struct exchange script[] = {
        { SAYS_ONE_READY },
        { SAYS_ONE_READY },
        { 0 },
    };
    struct error err = failure_of(script, drain_both_quickly);
    (void)unused;

    assert_int_equal(err.kind, ERROR_TIMEOUT);
    assert_says(err.text, "of the last 4 bytes nothing was copied");
}

static void completed_with_an_error_is_a_failure(void **unused)
{
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .events = { COMPLETED_WITH_ERROR(NAME_A) } },
        { "block-job-cancel", .events = { COMPLETED(NAME_B) } },
        { 0 },
    };
    struct error err = failure_of(script, drain_both);
    (void)unused;

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
    struct error err = failure_of(script, drain_both);
    (void)unused;

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
    struct error err = failure_of(script, drain_both);
    (void)unused;

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
    (void)unused;

    failure_of(script, drain_both);
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
    struct error err = failure_of(script, drain_both_quickly);
    (void)unused;

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
    (void)unused;

    succeeds(script, drain_both_quickly);
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
    struct error err = failure_of(script, drain_both_quickly);
    (void)unused;

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
    struct error err = failure_of(script, drain_both);
    (void)unused;

    assert_int_not_equal(err.kind, ERROR_NONE);
    assert_int_not_equal(err.kind, ERROR_TIMEOUT);
}

static void interrupt_when_told(uv_timer_t *timer)
{
    struct qmp *q = timer->data;
    struct error why = { 0 };

    if (!qmp_has_told(q, 0, "JOB_STATUS_CHANGE"))
        return;
    error_set(&why, ERROR_CANCELLED, "called off");
    loop_interrupt(qmp_loop(q), &why);
}

/* … and then listens for a moment. */
static bool drain_until_called_off(struct qmp *q, struct error *err)
{
    enum {
        MOMENT_MS = 20
    };
    uv_timer_t clock;
    bool ok;

    uv_timer_init(loop_uv(qmp_loop(q)), &clock);
    clock.data = q;
    uv_timer_start(&clock, interrupt_when_told, 1, 1);
    ok = drain_both(q, err);
    uv_close((uv_handle_t *)&clock, NULL);
    loop_clear_interruption(qmp_loop(q));
    (void)loop_pause(qmp_loop(q), MOMENT_MS, NULL);
    return ok;
}

static void a_drain_that_is_called_off_asks_qemu_nothing_more(void **unused)
{
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .reply = NULL },
        { "block-job-cancel",
          .events = { SAYS_COMPLETED(NAME_A), SAYS_COMPLETED(NAME_B), STATUS(NAME_A, "pending") } },
        { 0 },
    };
    struct error err = failure_of(script, drain_until_called_off);
    (void)unused;

    assert_int_equal(err.kind, ERROR_CANCELLED);
}

static void a_mirror_that_qemu_will_not_end_is_no_end(void **unused)
{
    const struct exchange script[] = {
        { SAYS_BOTH_READY },
        { "block-job-cancel", .reply = "error: no" },
        { 0 },
    };
    struct error err = failure_of(script, drain_both);
    (void)unused;

    assert_non_null(strstr(err.text, "vda: "));
}

static void mirrors_that_cannot_be_asked_are_not_ended(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "error: no" },
        { 0 },
    };
    (void)unused;

    failure_of(script, drain_both);
}

/* ---- stop ---- */

static bool stop_vda(struct qmp *q, struct error *err)
{
    return qmp_mirror_stop(q, ID, "vda", err);
}

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
    (void)unused;

    succeeds(script, stop_vda);
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
    (void)unused;

    succeeds(script, stop_vda);
}

#define JOB_IS(status)                                                                             \
    "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"" NAME_A "\", \"status\": \"" status  \
    "\"}, \"timestamp\": {\"seconds\": 1, \"microseconds\": 0}}"

static bool guard_vda(struct qmp *q, struct error *err)
{
    return mirror_guard(q, ID, "vda", "virtio0", err);
}

#define NO_IOTHREADS                                                                               \
    {                                                                                              \
        "query-iothreads", .reply = "[]"                                                           \
    }

static void a_guarded_mirror_has_a_reader_before_it_has_a_refuser(void **unused)
{
    const struct exchange script[] = {
        NO_IOTHREADS,
        { "query-block", .reply = "[{\"device\": \"virtio0\", \"qdev\": \"/machine/x\", "
                                  "\"inserted\": {\"node-name\": \"#block7\"}}]" },
        { "job-pause", .with = NAME_A, .events = { JOB_IS("paused") } },
        { "blockdev-add", .with = "\"open-01234567-vda\",\"file\":\"#block7\"" },
        { "job-resume", .with = NAME_A },
        { "blockdev-add", .with = "\"image\":\"#block7\",\"take-child-perms\"" },
        { "blockdev-add", .with = "\"image\":\"" NAME_A "\",\"unshare-child-perms\"" },
        { 0 },
    };
    (void)unused;

    succeeds(script, guard_vda);
}

static void the_image_of_no_device_is_not_opened_for_writing(void **unused)
{
    const struct exchange script[] = {
        NO_IOTHREADS,
        { "query-block", .reply = "[{\"device\": \"virtio0\", \"inserted\": "
                                  "{\"node-name\": \"#block7\"}}]" },
        { "blockdev-add", .with = "\"image\":\"#block7\",\"take-child-perms\"" },
        { "blockdev-add", .with = "\"image\":\"" NAME_A "\",\"unshare-child-perms\"" },
        { 0 },
    };
    (void)unused;

    succeeds(script, guard_vda);
}

static void a_qemu_without_blkdebug_only_keeps_the_image_open(void **unused)
{
    const struct exchange script[] = {
        NO_IOTHREADS,
        { "query-block", .reply = "[]" },
        { "job-pause", .events = { JOB_IS("standby") } },
        { "blockdev-add", .with = "copy-on-read" },
        { "job-resume", .with = NAME_A },
        { "blockdev-add", .reply = "error: Unknown driver 'blkdebug'" },
        { 0 },
    };
    (void)unused;

    failure_of(script, guard_vda);
}

static void a_job_goes_on_when_the_image_cannot_be_kept_open(void **unused)
{
    const struct exchange script[] = {
        NO_IOTHREADS,
        { "query-block", .reply = "[]" },
        { "job-pause", .events = { JOB_IS("concluded") } },
        { "blockdev-add", .reply = "error: Unknown driver 'copy-on-read'" },
        { "job-resume", .with = NAME_A },
        { "blockdev-add", .with = "take-child-perms" },
        { "blockdev-add", .with = "unshare-child-perms" },
        { 0 },
    };
    (void)unused;

    assert_says(failure_of(script, guard_vda).text, "copy-on-read");
}

/* It would abort, and the guest with it. */
static void an_old_qemu_with_iothreads_is_given_no_guard(void **unused)
{
    const struct exchange script[] = {
        { "query-iothreads", .reply = "[{\"id\": \"io\"}]" },
        { 0 },
    };
    (void)unused;

    assert_says(failure_of(script, guard_vda).text, "would abort");
}

static void stopping_no_mirror_is_fine(void **unused)
{
    const struct exchange script[] = {
        { "query-block-jobs", .reply = "[]" },
        { "query-named-block-nodes", .reply = NODES("other") },
        { 0 },
    };
    (void)unused;

    succeeds(script, stop_vda);
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
    (void)unused;

    succeeds(script, stop_vda);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drains_all_at_once_and_asks_each_how_it_ended),
        cmocka_unit_test(ends_no_mirror_before_all_have_caught_up),
        cmocka_unit_test(a_mirror_that_never_catches_up_is_given_up),
        cmocka_unit_test(completed_with_an_error_is_a_failure),
        cmocka_unit_test(cancelled_is_a_failure),
        cmocka_unit_test(a_job_that_concluded_with_an_error_beats_its_event),
        cmocka_unit_test(a_job_dismissed_by_somebody_else_proves_nothing),
        cmocka_unit_test(gives_up_on_a_mirror_that_does_not_move),
        cmocka_unit_test(a_mirror_that_moves_has_all_the_time_it_needs),
        cmocka_unit_test(a_qemu_that_goes_away_while_a_mirror_ends_is_lost),
        cmocka_unit_test(a_qemu_that_talks_nonsense_while_a_mirror_ends_is_not_listened_to),
        cmocka_unit_test(a_drain_that_is_called_off_asks_qemu_nothing_more),
        cmocka_unit_test(a_mirror_that_qemu_will_not_end_is_no_end),
        cmocka_unit_test(mirrors_that_cannot_be_asked_are_not_ended),
        cmocka_unit_test(stops_by_force_until_the_job_has_ended),
        cmocka_unit_test(stopping_a_mirror_removes_its_guard),
        cmocka_unit_test(a_guarded_mirror_has_a_reader_before_it_has_a_refuser),
        cmocka_unit_test(the_image_of_no_device_is_not_opened_for_writing),
        cmocka_unit_test(a_qemu_without_blkdebug_only_keeps_the_image_open),
        cmocka_unit_test(an_old_qemu_with_iothreads_is_given_no_guard),
        cmocka_unit_test(a_job_goes_on_when_the_image_cannot_be_kept_open),
        cmocka_unit_test(stopping_no_mirror_is_fine),
        cmocka_unit_test(tries_again_while_a_node_is_still_in_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tracking under LVM's hands, and after failures: the volume goes on, with a table that it may
 * have.
 */
#include "host/kernel-disks/tracker.h"

#include "host/kernel-disks/exchange.h"
#include "host/kernel-disks/leftovers.h"
#include "tests/unit/mapper-scene.h"

static struct tracker *tracker_of_volume(void)
{
    return tracker_new(ID, "xvda", "/dev/lab/v");
}

static struct tracker *begin(void)
{
    struct tracker *tracker = tracker_of_volume();
    struct error err = { 0 };

    assert_ok(tracker_begin(tracker, &err), &err);
    assert_string_equal(volume.table, OURS);
    return tracker;
}

static void assert_begins_not(const char *words)
{
    struct tracker *tracker = tracker_of_volume();
    struct error err = { 0 };

    assert_false(tracker_begin(tracker, &err));
    assert_says(err.text, words);
    assert_true(origin.info.is_absent);
    tracker_free(tracker);
}

static bool next_round(struct tracker *tracker, struct error *err)
{
    struct changed_blocks changed;
    bool ok;

    changed_blocks_init(&changed, tracker_size(tracker), tracker_block(tracker));
    ok = tracker_round(tracker, &changed, err);
    assert_true(!ok || changed_blocks_bytes(&changed) > 0);
    changed_blocks_done(&changed);
    return ok;
}

static void assert_is_plain(void)
{
    assert_string_equal(volume.table, PLAIN);
    assert_false(volume.info.suspended);
    assert_string_equal(volume.loaded, "");
}

/* ---- begin and end ---- */

static void what_is_tracked_has_its_table_again_at_the_end(void **unused)
{
    struct tracker *tracker = begin();
    struct error err = { 0 };

    (void)unused;
    assert_ok(next_round(tracker, &err), &err);
    assert_ok(tracker_end(tracker, &err), &err);
    assert_is_plain();
    assert_true(origin.info.is_absent);
    tracker_free(tracker);
}

static void a_table_that_lvm_gives_meanwhile_stays(void **unused)
{
    (void)unused;
    scene.lvm_changes = LVMS;
    assert_begins_not("changed just now");
    assert_string_equal(volume.table, LVMS);
}

static void a_volume_with_a_second_table_is_left_alone(void **unused)
{
    (void)unused;
    strcpy(volume.loaded, LVMS);
    assert_begins_not("about to give it another table");
    assert_string_equal(volume.table, PLAIN);
    assert_string_equal(volume.loaded, LVMS);
}

static void a_suspended_volume_is_left_alone(void **unused)
{
    (void)unused;
    volume.info.suspended = true;
    assert_begins_not("somebody has suspended it");
    assert_true(volume.info.suspended);
}

static void without_room_at_first_the_volume_goes_on(void **unused)
{
    (void)unused;
    scene.has_no_room = true;
    assert_begins_not("no space");
    assert_is_plain();
}

/* ---- thin volumes ---- */

static void a_thin_volume_from_which_lvm_is_not_kept_is_refused(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    strcpy(volume.table, THIN);
    assert_ok(tracker_can("/dev/lab/v", &err), &err);
    scene.has_other_locks = true;
    assert_false(tracker_can("/dev/lab/v", &err));
    assert_says(err.text, "since lvmlockd has LVM's locks");
    scene.has_other_locks = false;
    volume.info.is_lvm = false;
    assert_begins_not("would break its pool");
    assert_string_equal(volume.table, THIN);
}

static void a_pool_that_fills_ends_the_tracking(void **unused)
{
    struct tracker *tracker = tracker_of_volume();
    struct error err = { 0 };

    (void)unused;
    strcpy(volume.table, THIN);
    assert_ok(tracker_begin(tracker, &err), &err);
    scene.pool_used = 95;
    assert_false(tracker_check(tracker, &err));
    assert_says(err.text, "nearly full");
    assert_string_equal(volume.table, THIN);
    tracker_free(tracker);
}

/* ---- rounds ---- */

static void a_round_while_lvm_works_suspends_nothing_and_is_marked_again(void **unused)
{
    struct tracker *tracker = begin();
    struct error err = { 0 };
    int suspends = scene.suspends;
    unsigned since;

    (void)unused;
    scene.is_lvm_at_work = true;
    assert_ok(next_round(tracker, &err), &err);
    since = scene.read_since;
    assert_ok(next_round(tracker, &err), &err);
    assert_int_equal(scene.read_since, since);
    assert_int_equal(scene.suspends, suspends);
    scene.is_lvm_at_work = false;
    assert_ok(next_round(tracker, &err), &err);
    assert_int_equal(scene.read_since, since);
    assert_int_equal(scene.suspends, suspends + 1);
    assert_ok(next_round(tracker, &err), &err);
    assert_true(scene.read_since > since);
    tracker_free(tracker);
}

static void a_round_makes_nobodys_table_the_volumes(void **unused)
{
    struct tracker *tracker = begin();
    struct error err = { 0 };

    (void)unused;
    strcpy(volume.loaded, LVMS);
    assert_false(next_round(tracker, &err));
    assert_says(err.text, "about to give it another table");
    assert_string_equal(volume.table, PLAIN);
    tracker_free(tracker);
}

static void a_volume_that_cannot_be_resumed_goes_on_with_its_own_table(void **unused)
{
    struct tracker *tracker = begin();
    struct error err = { 0 };

    (void)unused;
    scene.has_no_room = true;
    assert_false(next_round(tracker, &err));
    assert_says(err.text, "no space");
    assert_is_plain();
    tracker_free(tracker);
}

static void giving_up_leaves_the_origin_to_its_readers(void **unused)
{
    struct tracker *tracker = begin();
    struct error err = { 0 };

    (void)unused;
    scene.has_failed = true;
    assert_false(tracker_check(tracker, &err));
    assert_says(err.text, "not tracked any more");
    assert_is_plain();
    assert_false(origin.info.is_absent);
    assert_ok(tracker_end(tracker, &err), &err);
    assert_true(origin.info.is_absent);
    tracker_free(tracker);
}

/* ---- undo ---- */

static void the_undo_waits_for_lvm(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    leave_tracking();
    scene.is_lvm_at_work = true;
    assert_false(tracking_leftovers_end(NULL, NULL, NULL, &err));
    assert_says(err.text, "still tracked");
    assert_string_equal(volume.table, OURS);
    scene.is_lvm_at_work = false;
    assert_ok(tracking_leftovers_end(NULL, NULL, NULL, &err), &err);
    assert_is_plain();
    assert_true(origin.info.is_absent);
}

static void the_undo_of_a_suspended_volume_does_not_wait(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    leave_tracking();
    volume.info.suspended = true;
    scene.is_lvm_at_work = true;
    assert_ok(exchange_undo(ORIGIN, &err), &err);
    assert_is_plain();
}

static void what_lvm_has_suspended_to_give_it_a_table_is_lvms(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    leave_tracking();
    volume.info.suspended = true;
    strcpy(volume.loaded, LVMS);
    scene.is_lvm_at_work = true;
    assert_false(exchange_undo(ORIGIN, &err));
    assert_string_equal(volume.loaded, LVMS);
}

static void the_undo_of_notes_that_have_failed_does_not_wait(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    leave_tracking();
    scene.has_failed = true;
    scene.is_lvm_at_work = true;
    assert_ok(exchange_undo(ORIGIN, &err), &err);
    assert_is_plain();
}

static void a_device_of_somebody_else_with_such_a_name_stays(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    leave_tracking();
    origin.info.is_made_here = false;
    assert_ok(tracking_leftovers_end(NULL, NULL, NULL, &err), &err);
    assert_string_equal(volume.table, OURS);
    assert_false(exchange_undo(ORIGIN, &err));
    assert_string_equal(volume.table, OURS);
    assert_false(origin.info.is_absent);
}

static void what_cannot_be_looked_at_is_not_absent(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    leave_tracking();
    scene.is_silent = true;
    assert_false(exchange_undo(ORIGIN, &err));
    assert_false(tracking_leftovers_end(NULL, NULL, NULL, &err));
    assert_string_equal(volume.table, OURS);
    scene.is_silent = false;
    origin.info.is_absent = true;
    assert_ok(exchange_undo(ORIGIN, &err), &err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_scene, strike_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_tracked_has_its_table_again_at_the_end),
        TEST(a_table_that_lvm_gives_meanwhile_stays),
        TEST(a_volume_with_a_second_table_is_left_alone),
        TEST(a_suspended_volume_is_left_alone),
        TEST(without_room_at_first_the_volume_goes_on),
        TEST(a_thin_volume_from_which_lvm_is_not_kept_is_refused),
        TEST(a_pool_that_fills_ends_the_tracking),
        TEST(a_round_while_lvm_works_suspends_nothing_and_is_marked_again),
        TEST(a_round_makes_nobodys_table_the_volumes),
        TEST(a_volume_that_cannot_be_resumed_goes_on_with_its_own_table),
        TEST(giving_up_leaves_the_origin_to_its_readers),
        TEST(the_undo_waits_for_lvm),
        TEST(the_undo_of_a_suspended_volume_does_not_wait),
        TEST(what_lvm_has_suspended_to_give_it_a_table_is_lvms),
        TEST(the_undo_of_notes_that_have_failed_does_not_wait),
        TEST(a_device_of_somebody_else_with_such_a_name_stays),
        TEST(what_cannot_be_looked_at_is_not_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* When the guest is paused. */
#include "host/xen/guest/precopy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum {
    MIB = 1024 * 1024
};

/* A first pass of 100 MiB in a second. */
static struct precopy after_one_pass(uint64_t max_downtime_ms)
{
    struct precopy precopy = { .max_downtime_ms = max_downtime_ms };

    precopy_pass_begins(&precopy, 1000);
    precopy_pass_ends(&precopy, 100 * MIB, 100 * MIB, 2000);
    return precopy;
}

static void pauses_when_the_rest_fits_the_downtime(void **unused)
{
    struct precopy precopy = after_one_pass(100);

    (void)unused;
    assert_int_equal(precopy_decide(&precopy, 20 * MIB, 0, 2000), PRECOPY_GO_ON);
    assert_int_equal(precopy.expected_ms, 200);
    assert_int_equal(precopy_decide(&precopy, 5 * MIB, 0, 2000), PRECOPY_PAUSE);
}

static void counts_what_the_disks_still_have_to_send(void **unused)
{
    struct precopy precopy = after_one_pass(100);

    (void)unused;
    assert_int_equal(precopy_decide(&precopy, 0, 20 * MIB, 2000), PRECOPY_WAIT);
    assert_int_equal(precopy_decide(&precopy, 6 * MIB, 3 * MIB, 2000), PRECOPY_PAUSE);
    assert_int_equal(precopy_decide(&precopy, 6 * MIB, 6 * MIB, 2000), PRECOPY_GO_ON);
}

static void takes_the_fastest_pass_for_the_rate(void **unused)
{
    struct precopy precopy = after_one_pass(100);

    (void)unused;
    precopy_pass_begins(&precopy, 3000);
    precopy_pass_ends(&precopy, 1 * MIB, 1 * MIB, 4000);
    assert_int_equal(precopy_decide(&precopy, 9 * MIB, 0, 2000), PRECOPY_PAUSE);
}

/* A second pass of 10 MiB, compressed to `sent`. */
static struct precopy after_two_passes(uint64_t sent, uint64_t elapsed_ms)
{
    struct precopy precopy = after_one_pass(100);

    precopy_pass_begins(&precopy, 3000);
    precopy_pass_ends(&precopy, 10 * MIB, sent, 3000 + elapsed_ms);
    return precopy;
}

static void takes_what_is_left_for_as_compressible_as_the_last_pass(void **unused)
{
    struct precopy halved = after_two_passes(5 * MIB, 50);
    struct precopy not_at_all = after_two_passes(10 * MIB, 100);

    (void)unused;
    assert_int_equal(precopy_decide(&halved, 20 * MIB, 0, 4000), PRECOPY_PAUSE);
    assert_int_equal(halved.left, 10 * MIB);
    assert_int_equal(precopy_decide(&halved, 20 * MIB, 5 * MIB, 4000), PRECOPY_GO_ON);
    assert_int_equal(precopy_decide(&not_at_all, 20 * MIB, 0, 4000), PRECOPY_GO_ON);
}

/* Most of RAM is empty at first, what the guest writes to is not. */
static void the_first_pass_does_not_tell_how_compressible_the_next_is(void **unused)
{
    struct precopy precopy = { .max_downtime_ms = 100 };

    (void)unused;
    precopy_pass_begins(&precopy, 0);
    precopy_pass_ends(&precopy, 100 * MIB, 10 * MIB, 1000);
    assert_int_equal(precopy_decide(&precopy, 9 * MIB, 0, 1000), PRECOPY_GO_ON);
    assert_int_equal(precopy.expected_ms, 900);
}

/* Pages of zeros take hardly any of the lane, but libxc has to read them. */
static void counts_the_time_before_the_lane_as_well(void **unused)
{
    struct precopy precopy = after_two_passes(1, 500);

    (void)unused;
    assert_int_equal(precopy_decide(&precopy, 50 * MIB, 0, 4000), PRECOPY_GO_ON);
    assert_int_equal(precopy.expected_ms, 500);
}

static void a_few_pages_need_no_other_pass(void **unused)
{
    struct precopy precopy = { .max_downtime_ms = 1 };

    (void)unused;
    precopy_pass_begins(&precopy, 0);
    precopy_pass_ends(&precopy, 1 * MIB, 1 * MIB, 60000);
    assert_int_equal(precopy_decide(&precopy, 60 * 4096, 0, 2000), PRECOPY_PAUSE);
}

/* A pass every half second. */
static void tells_once_that_it_has_ceased_to_become_less_and_gives_up_much_later(void **unused)
{
    struct precopy precopy = after_one_pass(100);
    uint64_t now_ms = 2000, stalled_ms = 0;
    enum precopy_verdict verdict;

    (void)unused;
    do {
        verdict = precopy_decide(&precopy, 50 * MIB, 0, now_ms);
        if (verdict == PRECOPY_STALLED) {
            assert_int_equal(stalled_ms, 0);
            stalled_ms = now_ms;
        }
        now_ms += 500;
    } while (verdict != PRECOPY_HOPELESS && now_ms < 1000000);
    assert_in_range(stalled_ms, 10000, 15000);
    assert_in_range(now_ms, 300000, 310000);
}

static void short_passes_in_vain_are_no_standstill(void **unused)
{
    struct precopy precopy = after_one_pass(100);

    (void)unused;
    for (uint64_t ms = 0; ms < 9000; ms += 100)
        assert_int_equal(precopy_decide(&precopy, 0, 50 * MIB, 2000 + ms), PRECOPY_WAIT);
}

static void progress_by_a_tenth_is_progress(void **unused)
{
    struct precopy precopy = after_one_pass(1);
    uint64_t left = 1000 * (uint64_t)MIB;

    (void)unused;
    for (int i = 0; i < 30; i++, left = left * 8 / 10)
        assert_int_equal(precopy_decide(&precopy, left, 0, 2000), PRECOPY_GO_ON);
}

static void goes_on_for_as_long_as_the_deadline_allows(void **unused)
{
    struct precopy precopy = after_one_pass(100);

    (void)unused;
    precopy.has_deadline = true;
    for (uint64_t s = 2; s < 7200; s++)
        assert_int_not_equal(precopy_decide(&precopy, 50 * MIB, 0, 1000 * s), PRECOPY_HOPELESS);
}

static void tells_what_rate_would_have_been_needed(void **unused)
{
    struct precopy precopy = after_one_pass(100);

    (void)unused;
    (void)precopy_decide(&precopy, 30 * MIB, 20 * MIB, 2000);
    assert_int_equal(precopy_needed_rate(&precopy), 500 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_when_the_rest_fits_the_downtime),
        cmocka_unit_test(counts_what_the_disks_still_have_to_send),
        cmocka_unit_test(takes_the_fastest_pass_for_the_rate),
        cmocka_unit_test(takes_what_is_left_for_as_compressible_as_the_last_pass),
        cmocka_unit_test(the_first_pass_does_not_tell_how_compressible_the_next_is),
        cmocka_unit_test(counts_the_time_before_the_lane_as_well),
        cmocka_unit_test(a_few_pages_need_no_other_pass),
        cmocka_unit_test(tells_once_that_it_has_ceased_to_become_less_and_gives_up_much_later),
        cmocka_unit_test(short_passes_in_vain_are_no_standstill),
        cmocka_unit_test(progress_by_a_tenth_is_progress),
        cmocka_unit_test(goes_on_for_as_long_as_the_deadline_allows),
        cmocka_unit_test(tells_what_rate_would_have_been_needed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

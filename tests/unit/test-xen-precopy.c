/* When the guest is paused. */
#include "host/xen/precopy.h"

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

    precopy_pass_begins(&precopy, 100 * MIB, 1000);
    precopy_pass_ends(&precopy, 2000);
    return precopy;
}

static void pauses_when_the_rest_fits_the_downtime(void **unused)
{
    struct precopy precopy = after_one_pass(100);

    (void)unused;
    assert_int_equal(precopy_decide(&precopy, 20 * MIB, 0, true), PRECOPY_GO_ON);
    assert_int_equal(precopy.expected_ms, 200);
    assert_int_equal(precopy_decide(&precopy, 5 * MIB, 0, true), PRECOPY_PAUSE);
}

static void counts_what_the_disks_still_have_to_send(void **unused)
{
    struct precopy precopy = after_one_pass(100);

    (void)unused;
    assert_int_equal(precopy_decide(&precopy, 0, 20 * MIB, true), PRECOPY_WAIT);
    assert_int_equal(precopy_decide(&precopy, 6 * MIB, 3 * MIB, true), PRECOPY_PAUSE);
    assert_int_equal(precopy_decide(&precopy, 6 * MIB, 6 * MIB, true), PRECOPY_GO_ON);
}

static void waits_for_a_mirror_that_has_fallen_behind(void **unused)
{
    struct precopy precopy = after_one_pass(100);

    (void)unused;
    assert_int_equal(precopy_decide(&precopy, 0, 0, false), PRECOPY_WAIT);
    assert_int_equal(precopy_decide(&precopy, 0, 0, true), PRECOPY_PAUSE);
}

static void takes_the_fastest_pass_for_the_rate(void **unused)
{
    struct precopy precopy = after_one_pass(100);

    (void)unused;
    precopy_pass_begins(&precopy, 1 * MIB, 3000);
    precopy_pass_ends(&precopy, 4000);
    assert_int_equal(precopy_decide(&precopy, 9 * MIB, 0, true), PRECOPY_PAUSE);
}

static void a_few_pages_need_no_other_pass(void **unused)
{
    struct precopy precopy = { .max_downtime_ms = 1 };

    (void)unused;
    precopy_pass_begins(&precopy, 1 * MIB, 0);
    precopy_pass_ends(&precopy, 60000);
    assert_int_equal(precopy_decide(&precopy, 60 * 4096, 0, true), PRECOPY_PAUSE);
}

static void tells_once_that_it_has_ceased_to_become_less_and_gives_up_much_later(void **unused)
{
    struct precopy precopy = after_one_pass(100);
    unsigned stalled = 0, passes = 0;
    enum precopy_verdict verdict;

    (void)unused;
    do {
        verdict = precopy_decide(&precopy, 50 * MIB, 0, true);
        stalled += verdict == PRECOPY_STALLED;
        passes++;
    } while (verdict != PRECOPY_HOPELESS && passes < 1000);
    assert_int_equal(stalled, 1);
    assert_in_range(passes, 20, 100);
}

static void progress_by_a_tenth_is_progress(void **unused)
{
    struct precopy precopy = after_one_pass(1);
    uint64_t left = 1000 * (uint64_t)MIB;

    (void)unused;
    for (int i = 0; i < 30; i++, left = left * 8 / 10)
        assert_int_equal(precopy_decide(&precopy, left, 0, true), PRECOPY_GO_ON);
}

static void goes_on_for_as_long_as_the_deadline_allows(void **unused)
{
    struct precopy precopy = after_one_pass(100);

    (void)unused;
    precopy.has_deadline = true;
    for (int i = 0; i < 1000; i++)
        assert_int_not_equal(precopy_decide(&precopy, 50 * MIB, 0, true), PRECOPY_HOPELESS);
}

static void tells_what_rate_would_have_been_needed(void **unused)
{
    struct precopy precopy = after_one_pass(100);

    (void)unused;
    (void)precopy_decide(&precopy, 30 * MIB, 20 * MIB, true);
    assert_int_equal(precopy_needed_rate(&precopy), 500 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_when_the_rest_fits_the_downtime),
        cmocka_unit_test(counts_what_the_disks_still_have_to_send),
        cmocka_unit_test(waits_for_a_mirror_that_has_fallen_behind),
        cmocka_unit_test(takes_the_fastest_pass_for_the_rate),
        cmocka_unit_test(a_few_pages_need_no_other_pass),
        cmocka_unit_test(tells_once_that_it_has_ceased_to_become_less_and_gives_up_much_later),
        cmocka_unit_test(progress_by_a_tenth_is_progress),
        cmocka_unit_test(goes_on_for_as_long_as_the_deadline_allows),
        cmocka_unit_test(tells_what_rate_would_have_been_needed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

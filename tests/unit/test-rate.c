/* The limit for all lanes together, and a filter that keeps to it. */
#include "transport/lanes/filter.h"

#include <signal.h>
#include <time.h>

#include "tests/unit/helpers.h"
#include "tests/unit/traffic.h"

enum {
    SOME = 6 * 1024 * 1024,
    LIMIT = 20 * 1024 * 1024, /* a second */
    AT_LIMIT_MS = SOME / (LIMIT / 1000),
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct limited {
    struct rate *rate;
    struct filter *filters;
    int near, far;
    struct traffic_pair traffic;
};

/* Some bytes go through a limit, and as many come back. */
static struct limited begin(uint64_t bytes_per_s, bool incoming)
{
    struct limited limited = { .rate = rate_new(bytes_per_s) };
    struct error err = { 0 };
    int both[2];

    make_pair(both);
    limited.near = both[0];
    limited.far = both[1];
    assert_ok(filter_limit(&limited.filters, &limited.far, incoming, limited.rate, &err), &err);
    limited.traffic = traffic_start_pair(limited.near, limited.near, limited.far, SOME);
    return limited;
}

static void end(struct limited *limited)
{
    assert_true(traffic_end_pair(&limited->traffic));
    filters_free(&limited->filters);
    rate_free(limited->rate);
    close(limited->near);
    close(limited->far);
}

static void a_limited_lane_keeps_to_its_rate_and_loses_nothing(void **unused)
{
    (void)unused;

    for (int incoming = 0; incoming < 2; incoming++) {
        uint64_t began_ms = now_ms();
        struct limited limited = begin(LIMIT, incoming);

        end(&limited);
        /* The first portion goes at once. */
        assert_in_range(now_ms() - began_ms, AT_LIMIT_MS * 9 / 10, 60000);
    }
}

static void a_lifted_limit_holds_nobody_back(void **unused)
{
    struct limited limited = begin(1, false); /* for ever, or nearly */
    (void)unused;

    rate_lift(limited.rate);
    end(&limited);
}

static void another_limit_counts_at_once_for_those_who_wait(void **unused)
{
    struct limited limited = begin(1, false);
    (void)unused;

    rate_set(limited.rate, 0);
    assert_int_equal(rate_now(limited.rate), 0);
    end(&limited);
}

static void a_limit_that_comes_later_holds_a_lane_back(void **unused)
{
    struct rate *rate = rate_new(0);
    struct turn turn = rate_take(rate, 3600);
    (void)unused;

    assert_int_equal(rate_wait_ms(rate, &turn), 0);
    assert_true(rate_portion(rate) > 1024 * 1024);
    rate_set(rate, 1);
    (void)rate_take(rate, 3600);
    turn = rate_take(rate, 1);
    assert_true(rate_wait_ms(rate, &turn) > 0);
    rate_free(rate);
}

/* Whoever takes gets the next place in time; who takes nothing has none. The times are too long for
 * this test to be late.
 */
static void a_lane_that_takes_nothing_leaves_its_share_to_the_others(void **unused)
{
    const uint64_t hour_ns = UINT64_C(3600) * 1000000000;
    struct rate *rate = rate_new(1);
    uint64_t began_ns = rate_take(rate, 3600).at_ns;
    (void)unused;

    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(rate_take(rate, 3600).at_ns, began_ns + i * hour_ns);
    rate_free(rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limited_lane_keeps_to_its_rate_and_loses_nothing),
        cmocka_unit_test(a_lifted_limit_holds_nobody_back),
        cmocka_unit_test(another_limit_counts_at_once_for_those_who_wait),
        cmocka_unit_test(a_limit_that_comes_later_holds_a_lane_back),
        cmocka_unit_test(a_lane_that_takes_nothing_leaves_its_share_to_the_others),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

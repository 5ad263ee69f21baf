#include "transport/clocks.h"

#include "tests/unit/clock.h"
#include "tests/unit/helpers.h"

enum {
    AHEAD_US = 3600 * 1000 * 1000u /* the peer's clock */
};

/* A ping that takes `there_ms` to arrive, and whose pong takes `back_ms`. */
static bool round_trip(struct clocks *clocks, uint64_t there_ms, uint64_t back_ms,
                       struct session_clock *best)
{
    AUTO_JSON cJSON *ping = clocks_ask(clocks);
    AUTO_JSON cJSON *pong = NULL;

    time_passes(there_ms);
    pong = clocks_answer(ping);
    cJSON_GetObjectItem(pong, "now_us")->valuedouble += AHEAD_US;
    time_passes(back_ms);
    return clocks_take(clocks, pong, best);
}

static void the_shortest_round_trip_says_how_far_the_clocks_are_apart(void **unused)
{
    struct clocks clocks = { 0 };
    struct session_clock best = { 0 };
    (void)unused;

    for (int i = 0; i < 8; i++)
        assert_int_equal(round_trip(&clocks, i == 3 ? 2 : 500, i == 3 ? 2 : 10, &best), i == 7);
    assert_in_range(best.round_trip_us, 4000, 14000);
    assert_in_range(best.there_us - best.here_us, AHEAD_US - 7000, AHEAD_US + 7000);
}

static void a_pong_to_another_ping_counts_for_nothing(void **unused)
{
    struct clocks clocks = { 0 };
    struct session_clock best = { 0 };
    AUTO_JSON cJSON *ping = clocks_ask(&clocks);
    AUTO_JSON cJSON *pong = clocks_answer(ping);
    (void)unused;

    cJSON_GetObjectItem(pong, "sent_us")->valuedouble += 1;
    assert_false(clocks_take(&clocks, pong, &best));
    assert_int_equal(clocks.count, 0);
}

/* Clocks drift, so that what was measured an hour ago counts no more. */
static void what_comes_later_is_gathered_anew(void **unused)
{
    struct clocks clocks = { 0 };
    struct session_clock best = { 0 };
    (void)unused;

    for (int i = 0; i < 8; i++)
        (void)round_trip(&clocks, 1, 1, &best);
    for (int i = 0; i < 30; i++)
        assert_int_equal(round_trip(&clocks, 50, 50, &best), i == 29);
    assert_in_range(best.round_trip_us, 100000, 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shortest_round_trip_says_how_far_the_clocks_are_apart),
        cmocka_unit_test(a_pong_to_another_ping_counts_for_nothing),
        cmocka_unit_test(what_comes_later_is_gathered_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

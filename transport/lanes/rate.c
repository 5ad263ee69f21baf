/* Limits the rate of all lanes together. `end_ns` is the time until which the limit is used up.
 * A lane that wants to send moves `end_ns` on by the time that its bytes take at the limit, and
 * waits until the old value has passed. Unused time is not saved up.
 */
#include "transport/lanes/rate.h"

#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "xmig/cleanup.h"

enum {
    NS_PER_MS = 1000000,
    PORTIONS_PER_S = 20,
    LEAST_PORTION = 4096,
    /* A waiting lane looks again after this time, in case the limit is another one. */
    LONGEST_WAIT_MS = 50,
};

static const uint64_t ns_per_s = 1000000000;

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * ns_per_s + (uint64_t)now.tv_nsec;
}

static uint64_t duration_ns(const struct rate *rate, size_t size)
{
    uint64_t bytes_per_s = rate_now(rate);

    return bytes_per_s ? (uint64_t)((double)size / (double)bytes_per_s * (double)ns_per_s) : 0;
}

struct rate *rate_new(uint64_t bytes_per_s)
{
    struct rate *rate = must(calloc(1, sizeof(*rate)));

    atomic_init(&rate->bytes_per_s, bytes_per_s);
    return rate;
}

void rate_free(struct rate *rate)
{
    free(rate);
}

void rate_set(struct rate *rate, uint64_t bytes_per_s)
{
    atomic_store(&rate->bytes_per_s, bytes_per_s);
    atomic_fetch_add(&rate->limit, 1);
    atomic_store(&rate->end_ns, 0);
}

uint64_t rate_now(const struct rate *rate)
{
    return atomic_load(&rate->bytes_per_s);
}

void rate_lift(struct rate *rate)
{
    atomic_store(&rate->lifted, true);
}

size_t rate_portion(const struct rate *rate)
{
    uint64_t bytes_per_s = rate_now(rate);
    uint64_t portion = bytes_per_s / PORTIONS_PER_S;

    if (!bytes_per_s)
        return SIZE_MAX;
    return portion > LEAST_PORTION ? (size_t)portion : LEAST_PORTION;
}

/* When the limit changes meanwhile, the time that was added may be the old limit's: begin anew. */
struct turn rate_take(struct rate *rate, size_t size)
{
    uint64_t now = now_ns();
    struct turn turn = { .limit = atomic_load(&rate->limit) };
    uint_fast64_t end = atomic_load(&rate->end_ns);

    do
        turn.at_ns = end > now ? end : now;
    while (
        !atomic_compare_exchange_weak(&rate->end_ns, &end, turn.at_ns + duration_ns(rate, size)));
    if (turn.limit != atomic_load(&rate->limit))
        atomic_store(&rate->end_ns, 0);
    return turn;
}

int rate_wait_ms(const struct rate *rate, const struct turn *turn)
{
    uint64_t now = now_ns();
    uint64_t wait_ms;

    if (atomic_load(&rate->lifted) || turn->limit != atomic_load(&rate->limit) ||
        turn->at_ns <= now)
        return 0;
    wait_ms = (turn->at_ns - now + NS_PER_MS - 1) / NS_PER_MS;
    return wait_ms < LONGEST_WAIT_MS ? (int)wait_ms : LONGEST_WAIT_MS;
}

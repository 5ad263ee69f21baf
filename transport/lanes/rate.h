/* One budget of bytes a second for all lanes of a migration (`--bwlimit`). Lanes that have nothing
 * to send leave their share to the others; those that do take turns. May be used from any thread,
 * and from any process that has the memory.
 */
#ifndef XMIG_TRANSPORT_LANES_RATE_H
#define XMIG_TRANSPORT_LANES_RATE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Without a lock, for memory that several processes share: one that is killed holds nobody up. */
struct rate {
    atomic_uint_fast64_t bytes_per_s;
    atomic_uint limit; /* grows when the limit changes */
    atomic_bool lifted;
    atomic_uint_fast64_t end_ns;
};

/* 0: no limit. Memory that is zero is a rate without one. */
struct rate *rate_new(uint64_t bytes_per_s);
void rate_free(struct rate *rate); /* NULL is fine */

/* Another limit from now on, also for those who wait already. */
void rate_set(struct rate *rate, uint64_t bytes_per_s);
uint64_t rate_now(const struct rate *rate);

/* No limit any more, whatever is set: for the pause, and also for those who wait already. */
void rate_lift(struct rate *rate);

/* How many bytes a lane may ask for at once: a twentieth of a second's, at least a page. */
size_t rate_portion(const struct rate *rate);

/* When bytes may be sent under the limit of the time when they were taken. */
struct turn {
    uint64_t at_ns; /* CLOCK_MONOTONIC */
    unsigned limit; /* which one, of those that were set one after the other */
};

/* Take `size` bytes of the budget. */
struct turn rate_take(struct rate *rate, size_t size);

/* Milliseconds until that, rounded up; 0: now, or the limit is another one by now. */
int rate_wait_ms(const struct rate *rate, const struct turn *turn);

#endif

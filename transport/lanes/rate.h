/* One budget of bytes a second for all lanes of a migration (`--bwlimit`). Lanes that have nothing
 * to send leave their share to the others; those that do take turns. May be used from any thread.
 */
#ifndef XMIG_TRANSPORT_LANES_RATE_H
#define XMIG_TRANSPORT_LANES_RATE_H

#include <stddef.h>
#include <stdint.h>

struct rate;

/* `bytes_per_s` is at least 1. */
struct rate *rate_new(uint64_t bytes_per_s);
void rate_free(struct rate *rate); /* NULL is fine */

/* No limit from now on, also for those who wait already. */
void rate_lift(struct rate *rate);

/* How many bytes a lane may ask for at once: a twentieth of a second's, at least a page. */
size_t rate_portion(const struct rate *rate);

/* Take `size` bytes of the budget, and return when they may be sent (CLOCK_MONOTONIC, ns). */
uint64_t rate_take(struct rate *rate, size_t size);

/* Milliseconds until `at_ns`, rounded up; 0: it may be sent now, or the limit was lifted. */
int rate_wait_ms(const struct rate *rate, uint64_t at_ns);

#endif

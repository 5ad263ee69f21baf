/* Bytes on their way from one thread to a descriptor, at most so many a second. */
#ifndef XMIG_HOST_XEN_THROTTLE_H
#define XMIG_HOST_XEN_THROTTLE_H

#include <stdint.h>

#include "xmig/error.h"

struct throttle;

/* What is written to `*in` comes out of the socket `out` (borrowed), in a thread of its own.
 * When `out` breaks, so does `*in`.
 */
struct throttle *throttle_new(int out, uint64_t bytes_per_second, int *in, struct error *err);

/* Ends `*in`, and waits until all has come out. Blocks: for helper threads. NULL is fine. */
void throttle_free(struct throttle *throttle);

#endif

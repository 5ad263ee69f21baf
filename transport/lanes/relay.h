/* The relay, with a limit; relay_both() is in xmig/transport.h. */
#ifndef XMIG_TRANSPORT_LANES_RELAY_H
#define XMIG_TRANSPORT_LANES_RELAY_H

#include "transport/lanes/rate.h"
#include "xmig/transport.h"

/* As relay_both(); from `a_in` to `b` no more than `rate` permits (borrowed; NULL: no limit). */
bool relay_limited(int a_in, int a_out, int b, struct rate *rate, struct error *err);

#endif

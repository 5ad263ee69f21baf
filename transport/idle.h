/* How long the peer has said nothing but that it is alive. A sender that is let in could else keep
 * a receiver, and what it has made, for ever.
 */
#ifndef XMIG_TRANSPORT_IDLE_H
#define XMIG_TRANSPORT_IDLE_H

#include "xmig/json.h"
#include "xmig/session.h"

struct idle {
    uint64_t since_ms; /* of loop_now_ms() */
    uint64_t moved;    /* the bytes of all transfers, as the peer has told them last */
    uint64_t carried;  /* the bytes that the peer's lanes have brought */
};

void idle_begin(struct idle *idle);

/* The peer has said this. `alive` and its like do not count, but a `ping` that tells of more bytes
 * does.
 */
void idle_hear(struct idle *idle, const char *type, const cJSON *message);

/* Bytes that lanes have brought since the last look count, too. A block device that is filled
 * with zeroes moves nothing that the peer would tell, and takes hours.
 */
void idle_look(struct idle *idle, const struct session_lanes *lanes);

/* Has it lasted too long? An hour, or less for a peer that is to be lost soon. */
bool idle_is_over(const struct idle *idle, const struct session_timing *timing, struct error *why);

#endif

/* What the two hosts' clocks show, from round trips of a ping. */
#ifndef XMIG_TRANSPORT_CLOCKS_H
#define XMIG_TRANSPORT_CLOCKS_H

#include "xmig/session.h"

/* Round trips are gathered, and the shortest of each gathering counts: at first of some in a row,
 * then of those of about a minute, for clocks drift.
 */
struct clocks {
    uint64_t asked_us; /* when the last ping was said; 0: it was answered */
    unsigned count;    /* round trips in this gathering */
    bool later;        /* the first gathering is over */
    struct session_clock best;
};

/* The members of a ping, and of the answer to `ping`; the caller frees them. */
cJSON *clocks_ask(struct clocks *clocks);
cJSON *clocks_answer(const cJSON *ping);

/* Take a pong in. True: a gathering is over, and `best` its result. */
bool clocks_take(struct clocks *clocks, const cJSON *pong, struct session_clock *best);

/* Is the next ping due at once? */
bool clocks_go_on(const struct clocks *clocks);

#endif

/* What the two hosts' clocks show, from round trips of a ping. */
#ifndef XMIG_TRANSPORT_CLOCKS_H
#define XMIG_TRANSPORT_CLOCKS_H

#include "xmig/session.h"

/* Round trips are taken in groups, and the shortest of a group counts. The first group is a few in
 * a row; each later one lasts about a minute, because clocks drift.
 */
struct clocks {
    uint64_t asked_us; /* when the last ping was said; 0: it was answered */
    unsigned count;    /* round trips in this group */
    bool later;        /* the first group is over */
    struct session_clock best;
};

/* The members of a ping, and of the answer to `ping`; the caller frees them. */
cJSON *clocks_ask(struct clocks *clocks);
cJSON *clocks_answer(const cJSON *ping);

/* Take a pong in. True: a group is over, and `best` its result. */
bool clocks_take(struct clocks *clocks, const cJSON *pong, struct session_clock *best);

/* Is the next ping due at once? */
bool clocks_go_on(const struct clocks *clocks);

#endif

/* What ends a move that takes too long: --deadline, and --max-pause for the guest's pause. */
#ifndef XMIG_PIPELINE_TIME_LIMITS_H
#define XMIG_PIPELINE_TIME_LIMITS_H

#include "xmig/move.h"

struct limits;

/* From now on a sender's waits are interrupted when a limit has passed, unless it has written
 * COMMIT by then.
 */
struct limits *limits_start(struct migration *m);
void limits_end(struct limits *limits);

/* What --max-pause says, or its default; 0: there is none. */
uint64_t limits_longest_pause(const struct migration *m);

/* Say so when the guest stood still for much longer than --max-downtime. */
void limits_tell_pause(struct migration *m);

#endif

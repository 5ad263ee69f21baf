/* The two limits that end a move: --deadline for all of it, --max-pause for the guest's pause. */
#ifndef XMIG_PIPELINE_TIME_LIMITS_H
#define XMIG_PIPELINE_TIME_LIMITS_H

#include "xmig/move.h"

struct limits;

/* Begin to watch: when a limit has passed, the sender's waits are interrupted, unless COMMIT has
 * been written by then.
 */
struct limits *limits_start(struct migration *m);
void limits_end(struct limits *limits);

/* The value of --max-pause, or its default; 0: the pause has no limit. */
uint64_t limits_longest_pause(const struct migration *m);

/* Warn when the guest was paused for much longer than --max-downtime. */
void limits_tell_pause(struct migration *m);

#endif

/* The guardian: a second process on each side of a migration, which does what `xmig recover`
 * would when the first one has gone (R15). Its life is cmd/guard.c; here is how it is started,
 * and how it, a person's recover, and a living process keep out of each other's way.
 *
 * An attempt of its is no owner in the journal, which has not the room for one a minute. It
 * holds a lock instead, from before it reads the journal. Others write there who they are, and
 * then look at the lock: so one of the two always sees the other, and the guardian gives way.
 */
#ifndef XMIG_PIPELINE_COMMIT_GUARDIAN_H
#define XMIG_PIPELINE_COMMIT_GUARDIAN_H

#include "xmig/move.h"

/* Start it, as `xmig guard ID SIDE` in a session of its own. The journal exists. */
bool guardian_start(struct migration *m, struct error *err);

/* The process that watches over this side of migration `id`; 0: none. */
pid_t guardian_pid(const char *state_dir, const char *id, enum side side);

/* Become the one that watches, for as long as this process lives. ERROR_REFUSED: there is one. */
bool guardian_watch(const char *state_dir, const char *id, enum side side, struct error *err);

/* Remove the lock file: the migration needs no guardian any more. */
void guardian_leave(const char *state_dir, const char *id, enum side side);

/* Begin an attempt, which lasts as long as this process. */
bool guardian_begin_attempt(const struct migration *m, struct error *err);

/* An attempt that is under way may come to its end, but not keep us waiting. */
bool guardian_end_attempt(const struct migration *m, struct error *err);

#endif

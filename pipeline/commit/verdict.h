/* The commit protocol's inner parts, for the pipeline, for serve and for recover.
 *
 * Giving a guest back has an order (R6): the verdict first, then destroy, then
 * DESTROYED, then tell.
 */
#ifndef XMIG_PIPELINE_COMMIT_VERDICT_H
#define XMIG_PIPELINE_COMMIT_VERDICT_H

#include "xmig/commit.h"
#include "xmig/facts.h"

/* For one word of the peer's; docs/wire-protocol.md. */
enum {
    VERDICT_QUERY_MS = 30000
};

/* The last note of this fact, borrowed; NULL: none. */
const cJSON *noted_fact(const struct migration *m, enum fact fact);

/* A person has chosen the target's copy: from now on it may be handed over though it ran. */
bool verdict_note_forward(struct migration *m, struct error *err);

/* Has a person chosen, in this run or in one before, that the target's copy goes on? */
bool verdict_goes_forward(const struct migration *m);

/* promise_record() without the fault points around it; promise.c. */
bool promise_append(struct migration *m, enum record record, const cJSON *facts, struct error *err);

/* ---- sender: verdict-send.c ---- */

/* Does nobody else run the VM here, or write to its images? False sets m->contested: only a
 * person can tell which copy is the right one.
 */
bool verdict_nobody_else(struct migration *m, struct error *err);

/* Nobody need be kept from starting the VM here any more: look, and take the fence off. */
bool verdict_take_back(struct migration *m, struct error *err);

/* Look, and let the guest run here. Fine when it runs. */
bool verdict_let_run(struct migration *m, struct error *err);

/* QUERY the peer until there is a verdict (m->verdict; true when the target runs the
 * guest) or patience ends.
 */
bool verdict_seek(struct migration *m, struct error *err);

/* Say that we give up, before ABORTED is written: true when the target's copy has run meanwhile,
 * and only a person can decide.
 */
bool verdict_hear_ran(struct migration *m, const struct error *why, struct error *err);

/* After our abort: hear that the receiver has given the guest back (R7). */
bool verdict_hear_returned(struct migration *m, struct error *err);

/* The guest stays here, and `running` says whether it runs: tell the receiver, on a new
 * connection if need be. True: it has closed its books, or has none, or keeps complete disks
 * for a guest that does not run; and so may we.
 */
bool verdict_report(struct migration *m, bool running, struct error *err);

/* What a look has shown at the target; nothing was changed by it. */
enum look {
    LOOK_FAILED,   /* it cannot be reached, or does not say */
    LOOK_NOTHING,  /* nothing that could run, or that matters */
    LOOK_COMPLETE, /* a complete, paused copy */
    LOOK_RAN,      /* a complete copy that somebody has let run */
    LOOK_RUNNING,  /* the guest: the source was declared dead there */
};
enum look verdict_look(struct migration *m, struct error *err);

/* ---- receiver: verdict-recv.c ---- */

/* From whatever the journal of a dead process says, go on to a verdict, as far as it
 * is ours: true when the guest runs here; false with m->verdict telling.
 */
bool verdict_go_on(struct migration *m, bool peer_committed, struct error *err);

/* Is the copy still there, paused? After a boot of this machine what looks like it is not it. */
bool verdict_copy_is_ready(struct migration *m);

/* Has the sealed copy provably never run? One that runs is paused. If not, m->ran says whether it
 * has run, which is written down, or whether that could not be told; verdict-ran.c.
 */
bool verdict_never_ran(struct migration *m, struct error *err);

/* A person gives it up (--back): whether it has run does not count any more. */
bool verdict_note_given_up(struct migration *m, struct error *err);

/* Given back, and about to be destroyed: it may have run since. False: then it is kept. */
bool verdict_may_destroy(struct migration *m, struct error *err);

/* Say `state` on a query's session, with the journal's last record. */
void verdict_tell(struct migration *m, const char *state, const char *text);

/* At LOST: has the guest been seen to run here again, now or before? verdict-lost.c */
bool verdict_runs_again(struct migration *m);

/* A person has seen to the guest in a way of their own: note that, and write CLOSED. */
bool verdict_see_to(struct migration *m, struct error *err);

/* Answer a look: how things stand. Nothing changes; verdict-look.c. */
void verdict_show(struct migration *m);

/* Answer a QUERY: all is here, say go (again); or: it has run, a person decides. */
void verdict_say_prepared(struct migration *m);

/* Write REFUSED, unless a verdict of that kind is written already. */
bool verdict_give_back(struct migration *m, const struct error *why, struct error *err);

/* The copy is gone: write DESTROYED. */
bool verdict_destroyed(struct migration *m, struct error *err);

/* After DESTROYED: tell the sender, and when it has settled discard the disks. */
bool verdict_part(struct migration *m, const char *why, struct error *err);

/* All of that for a copy whose stages are not here to undo it. */
bool verdict_settle(struct migration *m, const struct error *why, struct error *err);

/* Delete complete disks that nobody needs any more, and write CLOSED. */
bool verdict_discard(struct migration *m, struct error *err);

/* The guest runs here: do what is left to do, and write CLOSED. */
void verdict_settle_in(struct migration *m);

/* Say m->verdict on a query's session; give back what has to be. */
void verdict_answer(struct migration *m, const struct error *why);

#endif

/* The commit protocol, pipeline/commit/verdict*.c: who owns the guest, and how a migration whose
 * process has gone is settled.
 */
#ifndef XMIG_COMMIT_H
#define XMIG_COMMIT_H

#include "xmig/move.h"

/* Append to the journal, with --fault's points around it, and tell. */
bool promise_record(struct migration *m, enum record record, const cJSON *facts, struct error *err);

/* Sender: write COMMIT, say GO, and stay until there is a verdict. */
bool verdict_commit(struct migration *m, struct error *err);

/* Receiver: all is sealed: write PREPARED, say ready, wait for GO or the lease. */
bool verdict_await(struct migration *m, struct error *err);

/* ---- xmig recover; pipeline/commit/recover.c ---- */

struct recover_options {
    bool peer_is_dead; /* the operator's word */
    bool discard;      /* receiver: delete the complete disks of a copy that was given back */
    bool forward;      /* sender: the target's complete copy goes on, for the one here is dead */
    bool back;         /* sender: the target's copy is given up; the VM is here, as its disks are */
    bool close; /* a person has seen to a guest that died at the target: nothing is left to do */
    bool lease_is_over; /* receiver: the sender has not come back to a prepared copy in time */
    bool word;          /* what cannot be proven for --forward, the operator vouches for */
};

/**
 * Settle migration m->id as far as that can be done without a guess. m->journal is
 * open, m->side is its side; a sender's m->transport leads to the peer its journal names.
 * Never fails to fill `result`.
 */
void recover_run(struct migration *m, const struct recover_options *options, struct result *result);

/* Does the process that began it live, and say that it is at work? `*status` (the caller
 * frees it) is what it says.
 */
bool recover_owner_at_work(struct migration *m, char **status);

/* Has the process that says this lost the other side, and waits for it? */
bool recover_status_is_alone(const char *status);

#endif

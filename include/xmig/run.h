/* How a migration is run: connected, served, and stage by stage. */
#ifndef XMIG_RUN_H
#define XMIG_RUN_H

#include "xmig/move.h"

/* ---- sender ---- */

/* Choose the stages, reach the peer, say hello, hear its. `m->vm`, `m->transport` and
 * `m->guest` (attached) are set; the transport and the guest are then the migration's.
 */
bool migration_connect(struct migration *m, struct error *err);

/* ---- receiver ---- */

struct serve_options {
    const char *state_dir;   /* all migrations' */
    const char *runtime_dir; /* all migrations' */
    struct event_sink events;
    struct session_history history;
    struct policy *policy;    /* what the sender may do; NULL: all that this user may */
    const char *peer_address; /* where the connection comes from; NULL: not known */
    /* The peer has said which migration, in its hello; NULL: that is of no interest. */
    void (*named)(void *arg, const char *id, const cJSON *hello);
    void *named_arg;
    /* For tests that have both sides, and many lives of them, in one process. */
    const struct identity *identity; /* NULL: this machine's */
    struct journal_hook journal_hook;
    bool crash_is_simulated;
};

/**
 * `xmig recv`: serve one peer on two descriptors (taken; they may be the same one), whether it
 * moves a VM here or asks for a verdict. Never fails to fill `result`.
 */
void serve_run(struct loop *loop, int in_fd, int out_fd, const struct serve_options *options,
               struct result *result);

/* ---- both ---- */

/**
 * Run the whole of it: check, each stage in step with the peer, finish; or
 * undo; or leave. Never fails to fill `result`.
 */
void pipeline_run(struct migration *m, struct result *result);

#endif

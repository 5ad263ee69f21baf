/* Recover's inner parts: what a source does once it is known how to go on. */
#ifndef XMIG_PIPELINE_COMMIT_RECOVER_H
#define XMIG_PIPELINE_COMMIT_RECOVER_H

#include "xmig/commit.h"

void recover_say(struct result *result, enum outcome outcome, enum error_kind kind,
                 const char *text);

/* ---- recover-committed.c: the source's side ---- */

/* result->state: does the VM run here? */
void recover_look(struct migration *m, struct result *result);

/* The guest may run here: make it, and drop what the dead process left. */
void recover_let_run(struct migration *m, struct result *result);

/* Tell the target that the guest stays here, and close the journal once it has dropped its copy,
 * or at once if `may_close`.
 */
void recover_part(struct migration *m, bool may_close, struct result *result);

/* Does a person's word that the target is dead count? */
bool recover_word_counts(const struct migration *m, const struct recover_options *options);

/* May a person close what nothing can prove? False: result->unproven, their word is missing. */
bool recover_may_close(const struct recover_options *options, struct result *result);

void recover_target_runs_it(struct migration *m, struct result *result);
void recover_take_the_proof(struct migration *m, const struct recover_options *options,
                            struct result *result);

/* COMMIT is the last word: hear the target's, and act on it. */
void recover_committed(struct migration *m, const struct recover_options *options,
                       struct result *result);

/* ---- recover-choice.c ---- */

/* Source, before a last word, its copy dead or paused: must a person choose which copy goes on,
 * or have they chosen the target's (--forward)? True: `result` has what came of it. False: the
 * guest is the source's, as the journal says.
 */
bool recover_choice(struct migration *m, const struct recover_options *options,
                    struct result *result);

#endif

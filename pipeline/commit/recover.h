/* Recover's inner parts: what a source does once it is known how to go on. */
#ifndef XMIG_PIPELINE_COMMIT_RECOVER_H
#define XMIG_PIPELINE_COMMIT_RECOVER_H

#include "xmig/migration.h"

void recover_say(struct result *result, enum outcome outcome, enum error_kind kind,
                 const char *text);

/* COMMIT is the last word: hear the target's, and act on it. */
void recover_committed(struct migration *m, const struct recover_options *options,
                       struct result *result);

/* Source, before a last word, its copy dead or paused: must a person choose which copy goes on,
 * or have they chosen the target's (--forward)? True: `result` has what came of it. False: the
 * guest is the source's, as the journal says.
 */
bool recover_choice(struct migration *m, const struct recover_options *options,
                    struct result *result);

/* A person has chosen the target's copy: from now on it may be handed over though it ran. */
bool recover_note_forward(struct migration *m, struct error *err);

/* Has a person chosen, in this run or in one before, that the target's copy goes on? */
bool recover_goes_forward(const struct migration *m);

#endif

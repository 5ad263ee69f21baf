/* What forget and clean share: only what is finished is touched. */
#ifndef XMIG_CMD_CHECK_FINISHED_H
#define XMIG_CMD_CHECK_FINISHED_H

#include "outcome-words.h"
#include "xmig/journal.h"

/* Are all journals of this migration here closed, and is there one? `*age_ms` (NULL: not wanted) is
 * since when, of the younger one.
 */
bool check_finished(const char *state_dir, const struct identity *identity, const char *id,
                    uint64_t *age_ms, struct error *err);

void end_unremoved(struct ending *ending, const struct error *err);

#endif

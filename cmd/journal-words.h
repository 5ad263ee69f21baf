/* What a journal means, in words. */
#ifndef XMIG_CMD_JOURNAL_WORDS_H
#define XMIG_CMD_JOURNAL_WORDS_H

#include "xmig/commit.h"

/* Of its last record. */
const char *journal_meaning(const struct journal *journal);

/* How the migration ended, OUTCOME_UNDECIDED until it is finished. */
enum outcome journal_outcome(const struct journal *journal);

/* Is there anything left to do? */
bool journal_is_finished(const struct journal *journal);

/* The process that began it. */
enum worker {
    WORKER_NONE,
    WORKER_AT_WORK,
    WORKER_SILENT
};

/* `m` has its journal and its runtime directory. `*status` (the caller frees it) is what the
 * process says; NULL unless it is at work.
 */
enum worker find_worker(struct migration *m, char **status);

/* That process's pid. */
int worker_pid(const struct migration *m);

/* How long ago a record's "time" was, in ms; 0 when that is not to be read. */
uint64_t record_age_ms(const cJSON *record);

/* The newest record, borrowed. */
const cJSON *newest_record(const struct journal *journal);

#endif

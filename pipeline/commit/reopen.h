/* Opening a migration again whose process has died: its journal, its host. */
#ifndef XMIG_PIPELINE_COMMIT_REOPEN_H
#define XMIG_PIPELINE_COMMIT_REOPEN_H

#include "xmig/move.h"

/* The process that has the migration does not answer: end it, by pid and start time, unless it
 * ends by itself, or has closed the migration. The guardian (m->unattended) ends nobody, and gives
 * way. False, and nothing touched: also when this xmig cannot handle such VMs.
 */
bool reopen_end_owner(struct migration *m, struct error *err);

/* Does the process that has the migration live, though it be silent? */
bool reopen_owner_lives(const struct migration *m);

/* Does it live, and has not yet closed the migration? The rest, such as its hooks, is its own. */
bool reopen_owner_works(const struct migration *m);

/* Wait for its end. False: it goes on. */
bool reopen_await_owner(const struct migration *m, uint64_t timeout_ms);

/* Read the journal again, and note there that it is this process's now. */
bool reopen_as_owner(struct migration *m, struct error *err);

/* Make the host that the journal names, and let it find its VM again. */
bool reopen_host(struct migration *m, struct error *err);

/* Is the process that began the migration the last that took it on? */
bool reopen_is_first_owner(const struct migration *m);

/* The living process that has the migration; 0: none. */
pid_t reopen_living_owner(const struct migration *m, uint64_t *start_time);

#endif

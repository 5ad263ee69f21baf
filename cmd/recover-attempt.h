/* One attempt at settling a migration, with what is said of it. */
#ifndef XMIG_CMD_RECOVER_ATTEMPT_H
#define XMIG_CMD_RECOVER_ATTEMPT_H

#include "outcome-words.h"
#include "next-step.h"
#include "options.h"
#include "directories.h"
#include "report.h"

/* With the operator's word there may be a second attempt. */
struct recovering {
    const struct recover_command_options *options;
    const struct directories *directories;
    struct report *report;
    struct loop *loop;
    struct peer_words *words;
    struct migration m;
    struct migration_options migration_options;
    char id[17];           /* that options->id means */
    struct next_step next; /* while somebody else is at work */
    bool at_work;          /* somebody else is */
    bool was_open;         /* the journal, before the attempt */
    /* The journal may be read again meanwhile. */
    char *vm, *dest, *rsh, *remote_path;
    cJSON *tls;
};

/* Attempt it, `confirmed` by a person or not: `ending` says what came of it, and borrows from
 * `recovering` until attempt_end(). True: only a person's word leads further.
 */
bool attempt(struct recovering *recovering, bool confirmed, struct ending *ending);
void attempt_end(struct recovering *recovering);

/* Report `ending`, and attempt_end(). Returns the exit status. */
int attempt_finish(struct recovering *recovering, struct ending *ending);

/* Is it still to be settled? */
bool attempt_is_open(const struct result *result);

#endif

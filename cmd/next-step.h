/* What a person does next about a migration, and on which host. */
#ifndef XMIG_CMD_NEXT_STEP_H
#define XMIG_CMD_NEXT_STEP_H

#include "journal-words.h"

/* The other host of a migration as it was reached, borrowed from the journal; NULL: not known. */
const char *journal_peer(const struct journal *journal);

/* What a journal and the process that holds it ask for. */
struct next_step {
    char command[96]; /* "": there is nothing to be run */
    bool elsewhere;   /* on the peer, not here */
    char text[256];   /* what else there is to know: a sentence's part; "" */
};

/* `status` is what the process says, NULL unless it is at work. */
void next_step_find(const struct journal *journal, enum worker worker, const char *status,
                    struct next_step *next);

/* "on root@host: xmig recover ID; …": a line for a person. */
void next_step_print(const struct next_step *next, const char *peer, enum side side, char *out,
                     size_t size);

#endif

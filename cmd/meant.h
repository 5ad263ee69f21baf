/* The migration that a person means, opened to be looked at: nothing of it is made or changed. */
#ifndef XMIG_CMD_MEANT_H
#define XMIG_CMD_MEANT_H

#include "meaning.h"
#include "places.h"

struct meant {
    struct places places;
    struct identity identity;
    struct migration m; /* its side, id, journal and runtime directory */
    char *status;       /* what the process at work says; NULL */
    enum worker worker;
};

/* By an id, its beginning, or the VM's name; the sender's side where this host has both. */
bool meant_open(struct meant *meant, const char *word, struct error *err);
/* By its whole id. */
bool meant_open_side(struct meant *meant, const char *id, enum side side, struct error *err);
void meant_done(struct meant *meant);

/* The VM's name, and the other host as it was reached; borrowed. */
const char *meant_vm(const struct meant *meant);
const char *meant_peer(const struct meant *meant);

/* Is a process at work on it that answers? False: ERROR_REFUSED says what to do instead. */
bool meant_is_at_work(const struct meant *meant, struct error *err);

#endif

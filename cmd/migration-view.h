/* The migration that a person means, opened to be looked at: nothing of it is made or changed. */
#ifndef XMIG_CMD_MIGRATION_VIEW_H
#define XMIG_CMD_MIGRATION_VIEW_H

#include "journal-words.h"
#include "directories.h"

struct migration_view {
    struct directories directories;
    struct identity identity;
    struct migration m; /* its side, id, journal and runtime directory */
    char *status;       /* what the process at work says; NULL */
    enum worker worker;
};

/* By an id, its beginning, or the VM's name; the sender's side where this host has both. */
bool view_open(struct migration_view *view, const char *word, struct error *err);
/* By its whole id. */
bool view_open_side(struct migration_view *view, const char *id, enum side side, struct error *err);
void view_done(struct migration_view *view);

/* The VM's name, and the other host as it was reached; borrowed. */
const char *view_vm(const struct migration_view *view);
const char *view_peer(const struct migration_view *view);

/* Is a process at work on it that answers? False: ERROR_REFUSED says what to do instead. */
bool view_is_at_work(const struct migration_view *view, struct error *err);

#endif

/* Where xmig keeps things on this machine. */
#ifndef XMIG_CMD_PLACES_H
#define XMIG_CMD_PLACES_H

#include "transport/tls/keys.h"

struct places {
    char *state_dir;   /* journals: they outlive a reboot */
    char *config_dir;  /* what the administrator says */
    char *runtime_dir; /* sockets of living processes; mode 0700 and ours */
};

/* Only where they are: none need exist. */
void places_find(struct places *places);

/* Find both, and make the runtime directory; refuse it if another user could write there. */
bool places_make(struct places *places, struct error *err);

void places_done(struct places *places);

/* This host's keys: those in the directory `keys` where the administrator says things. */
void places_find_keys(struct keys *keys);

#endif

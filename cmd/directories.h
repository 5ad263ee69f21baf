/* Where xmig keeps things on this machine. */
#ifndef XMIG_CMD_DIRECTORIES_H
#define XMIG_CMD_DIRECTORIES_H

#include "transport/tls/keys.h"

struct directories {
    char *state_dir;   /* journals: they outlive a reboot */
    char *config_dir;  /* what the administrator says */
    char *runtime_dir; /* sockets of living processes; mode 0700 and ours */
};

/* Only where they are: none need exist. */
void directories_find(struct directories *directories);

/* Find both, and make the runtime directory; refuse it if another user could write there. */
bool directories_make(struct directories *directories, struct error *err);

void directories_done(struct directories *directories);

/* This host's keys: those in the directory `keys` where the administrator says things. */
void directories_find_keys(struct keys *keys);

#endif

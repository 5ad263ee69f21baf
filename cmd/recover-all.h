/* xmig recover --all: one attempt for each migration of this host that is not finished. */
#ifndef XMIG_CMD_RECOVER_ALL_H
#define XMIG_CMD_RECOVER_ALL_H

#include "options.h"

/* Returns the exit status. */
int recover_all(const struct recover_command_options *options);

#endif

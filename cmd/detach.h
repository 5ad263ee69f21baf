/* `send --detach`: the move goes on without its terminal once it has begun. Until then the command
 * waits, so that what the checks refuse, and what ssh asks, is seen and answered there.
 */
#ifndef XMIG_CMD_DETACH_H
#define XMIG_CMD_DETACH_H

#include "xmig/error.h"

/* Become two processes. True: this one, in a systemd scope of its own, does the move, and says so
 * by detach_go(fd). False: this one has waited; `*status` is the command's exit status, and `id`
 * the migration that goes on, or ""; SIGINT and SIGTERM stay blocked, since they come too late.
 * With `err` set there is no second process.
 */
bool detach_begin(int *fd, char id[17], int *status, struct error *err);

/* The move has begun: leave the terminal, and close `fd`. False: a signal to who waits calls the
 * move off, and has been sent to this process, too, which stays and tells of it.
 */
bool detach_go(int fd, const char *id);

#endif

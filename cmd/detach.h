/* `send --detach`: the move goes on without its terminal once it has begun. Until then the command
 * waits, so that what the checks refuse, and what ssh asks, is seen and answered there.
 */
#ifndef XMIG_CMD_DETACH_H
#define XMIG_CMD_DETACH_H

#include <stdbool.h>

/* Become two processes. True: this one does the move, and says so by detach_go(fd). False: this one
 * has waited, and `*status` is the command's exit status; `id` is the migration that goes on, or
 * "".
 */
bool detach_begin(int *fd, char id[17], int *status);

/* The move has begun: leave the terminal, in a session and a systemd scope of our own. */
void detach_go(int fd, const char *id);

#endif

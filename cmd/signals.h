/* Signals on the loop: the first one is a wish, none is a death. */
#ifndef XMIG_CMD_SIGNALS_H
#define XMIG_CMD_SIGNALS_H

#include "xmig/loop.h"

struct signals;

/* Call `caught(arg, number)` on the loop for SIGINT, SIGTERM and SIGHUP, except for those that
 * were ignored already (nohup, a shell's background job).
 */
struct signals *signals_new(struct loop *loop, void (*caught)(void *arg, int number), void *arg);

/* NULL is fine. The loop's end completes it. */
void signals_free(struct signals *signals);

/* "SIGINT" */
const char *signal_name(int number);

#endif

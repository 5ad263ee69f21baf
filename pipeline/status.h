/* A living process answers who asks what it is doing, at RUNTIME_DIR/ID/SIDE-status.sock.
 * One that does not answer is stopped or stuck.
 */
#ifndef XMIG_PIPELINE_STATUS_H
#define XMIG_PIPELINE_STATUS_H

#include "xmig/move.h"

struct listener *status_listen(struct migration *m, struct error *err);

/* Does the process that says this wait for a peer that it has lost? */
bool status_is_alone(const char *status);

/* Ask the process that holds `m`. The caller frees *status, one line of words. */
bool status_ask(struct migration *m, char **status);

#endif

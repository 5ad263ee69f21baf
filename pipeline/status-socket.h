/* A living process answers who asks what it is doing, at RUNTIME_DIR/ID/SIDE-status.sock, and does
 * first what RUNTIME_DIR/ID/limit asks for. One that does not answer is stopped or stuck.
 */
#ifndef XMIG_PIPELINE_STATUS_SOCKET_H
#define XMIG_PIPELINE_STATUS_SOCKET_H

#include "xmig/move.h"

struct listener *status_listen(struct migration *m, struct error *err);

/* Is this the name, without its directory, of the socket at which `side` answers? */
bool status_is_socket(enum side side, const char *name);

/* Does the process that says this wait for a peer that it has lost? */
bool status_is_alone(const char *status);

/* Does the process that says this limit what it sends? */
bool status_is_limited(const char *status);

/* Ask the process that holds `m`. The caller frees *status, one line of words. */
bool status_ask(const struct migration *m, char **status);

/* The same of the sender, which from now on sends at most `bytes_per_s` by all lanes together; 0:
 * no limit. False: it does not answer, and the limit is what it was.
 */
bool status_limit(const struct migration *m, uint64_t bytes_per_s, char **status,
                  struct error *err);

#endif

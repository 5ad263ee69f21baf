/* The sockets of a listener, and the addresses of its peers. */
#ifndef XMIG_TRANSPORT_LISTEN_SOCKETS_H
#define XMIG_TRANSPORT_LISTEN_SOCKETS_H

#include <stddef.h>

#include "xmig/error.h"

enum {
    SOCKETS_MAX = 8,
    ORIGIN_MAX = 48
};

struct sockets {
    int fds[SOCKETS_MAX];
    size_t count;
};

/* Listen at "[ADDR]:PORT" ("HOST:PORT", ":PORT"), or with NULL at what the service manager gave
 * ($LISTEN_FDS).
 */
bool sockets_open(struct sockets *sockets, const char *address, struct error *err);
void sockets_close(struct sockets *sockets);

/* Is "[ADDR]:PORT" well-formed? Touches nothing. */
bool sockets_check(const char *address, struct error *err);

/* Has the service manager given us sockets? */
bool sockets_are_given(void);

/* The other end of a connection: its address without the port, and, for limits, its group: of IPv6
 * the network.
 */
struct origin {
    char address[ORIGIN_MAX];
    char group[ORIGIN_MAX];
};
int sockets_accept(int listener, struct origin *origin);

#endif

/* The sockets at which a listener listens, and the addresses of who comes. */
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

/* Who is at the other end: an address without its port; of IPv6 the network, for limits. */
struct origin {
    char address[ORIGIN_MAX];
    char group[ORIGIN_MAX];
};
int sockets_accept(int listener, struct origin *origin);

#endif

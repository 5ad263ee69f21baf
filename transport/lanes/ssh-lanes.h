/* How many lanes one login carries. Each is a session of its own as long as the server's
 * MaxSessions permits; beyond that they are connections forwarded to the receiver's door, which
 * MaxSessions does not count.
 */
#ifndef XMIG_TRANSPORT_LANES_SSH_LANES_H
#define XMIG_TRANSPORT_LANES_SSH_LANES_H

#include "transport/internal.h"

struct ssh_lanes {
    const char *program; /* ssh; borrowed, as all of this */
    const char *control; /* the master's socket, as ssh reads it */
    const char *host;
    bool probing;    /* what ssh says is an answer, and not for people */
    char *forwarded; /* a socket here that leads to the receiver's door; NULL: sessions. Owned */
};

/**
 * Find out, by opening as many as that at once, whether `count` lanes and two more sessions can
 * be had. ERROR_REFUSED says what to change at the server.
 */
bool ssh_lanes_make_room(struct transport *transport, struct ssh_lanes *lanes, size_t count,
                         struct error *err);

/* The words that carry lane `words` over the forwarded socket. */
void ssh_lanes_add_words(struct argv *argv, const struct ssh_lanes *lanes,
                         const char *const words[]);

void ssh_lanes_done(struct ssh_lanes *lanes);

#endif

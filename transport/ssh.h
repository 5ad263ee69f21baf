/* The parts of the ssh transport that need no network; for its tests. */
#ifndef XMIG_TRANSPORT_SSH_H
#define XMIG_TRANSPORT_SSH_H

#include "xmig/error.h"

/* A destination, in the parts that ssh wants. */
struct ssh_dest {
    char *host; /* with "user@" if one was given, without brackets */
    char *port; /* NULL: none was given */
};

/* Understand "[user@]host", "[user@]host:port", "[user@][v6address]:port". */
bool ssh_parse_dest(const char *text, struct ssh_dest *dest, struct error *err);
void ssh_dest_done(struct ssh_dest *dest);

#endif

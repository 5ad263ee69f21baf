/* The handshake of this machine's NBD client, answered here in the place of a server that is far
 * away: QEMU's main loop, and with it the guest's devices, stands still until it is over.
 */
#ifndef XMIG_TRANSPORT_LANES_NBD_GREETING_H
#define XMIG_TRANSPORT_LANES_NBD_GREETING_H

#include "xmig/loop.h"

struct nbd_greeting;

/* Answer the client at `fd` (taken) as the server of one export of `size` bytes, of any name.
 * `done(arg, fd)` is called once, on the loop, when the next byte is the first request's, and takes
 * the descriptor; or with -1, when the client has gone or wants something else.
 */
struct nbd_greeting *nbd_greet(struct loop *loop, int fd, uint64_t size,
                               void (*done)(void *arg, int fd), void *arg);

/* Before done() was called: hang up. */
void nbd_greeting_free(struct nbd_greeting *greeting);

#endif

/* Descriptors that go along with bytes over a unix socket. */
#ifndef XMIG_TRANSPORT_LANES_DESCRIPTORS_H
#define XMIG_TRANSPORT_LANES_DESCRIPTORS_H

#include <stddef.h>
#include <sys/types.h>

/* sendmsg(2): the text, and `count` descriptors, two at most, which stay the caller's, too. */
ssize_t descriptors_send(int fd, const char *text, const int fds[], size_t count);

/* recvmsg(2). The first two descriptors that come go to `fds`, where that is negative, and are the
 * caller's to close; others are closed.
 */
ssize_t descriptors_receive(int fd, char *text, size_t size, int fds[2]);

#endif

/* Who has a socket of this machine: from /proc, for to connect to it would be noticed. */
#ifndef XMIG_HOST_SYSTEM_UNIX_SOCKETS_H
#define XMIG_HOST_SYSTEM_UNIX_SOCKETS_H

#include <stdbool.h>
#include <sys/types.h>

/* The process that has the socket which `path` (absolute) leads to; 0: there is none. */
pid_t unix_socket_owner(const char *path);

/* Does somebody listen at a socket of this name? */
bool unix_socket_is_listened_at(const char *path);

#endif

/* Reaching a QMP server's socket. */
#ifndef XMIG_QMP_CONNECT_H
#define XMIG_QMP_CONNECT_H

#include "xmig/loop.h"

/* A connected descriptor that the caller closes, or -1. `path` is a unix socket's, or
 * "tcp:HOST:PORT". Not connect_unix(), which would block in the kernel: QEMU accepts one client,
 * and a second one fills its queue.
 */
int qmp_connect_socket(struct loop *loop, const char *path, uint64_t timeout_ms, struct error *err);

#endif

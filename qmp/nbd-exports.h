/* Connections to the exports of QEMU's NBD server, past the handshake: made before a lane wants
 * one, so that who is far away need not wait for it. By others the exports are flushed.
 */
#ifndef XMIG_QMP_NBD_EXPORTS_H
#define XMIG_QMP_NBD_EXPORTS_H

#include "xmig/loop.h"

struct nbd_exports;

struct nbd_export_wanted {
    const char *name;
    uint64_t size; /* bytes that it must have */
};

/* Connect to the unix socket `path` for each of `wanted`, twice. */
struct nbd_exports *nbd_exports_open(struct loop *loop, const char *path,
                                     const struct nbd_export_wanted *wanted, size_t count,
                                     struct error *err);

/* The connection for the lane of that export, which is the caller's. There is one: -1, if it was
 * taken before. Does not wait.
 */
int nbd_exports_take(struct nbd_exports *exports, const char *name, struct error *err);

/* Have QEMU bring to its images, and these to the disk, what was written by whatever connection;
 * all at once. NULL has none.
 */
bool nbd_exports_flush(struct nbd_exports *exports, uint64_t timeout_ms, struct error *err);

/* NULL is fine. */
void nbd_exports_free(struct nbd_exports *exports);

#endif

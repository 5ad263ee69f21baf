/* Write to an NBD export on the loop: requests are sent while others are under way. */
#ifndef XMIG_HOST_DISK_COPY_NBD_WRITER_H
#define XMIG_HOST_DISK_COPY_NBD_WRITER_H

#include "xmig/loop.h"

struct nbd_writer;

/* A request under way; embed it in what it writes. */
struct nbd_request {
    /* On the loop, once, when the export has answered, or the connection has ended (false: the
     * writer knows why). May make further requests, but cannot wait.
     */
    void (*done)(struct nbd_request *request, bool ok);
    struct nbd_writer *writer; /* these are the writer's own */
    struct nbd_request *next;
    int error; /* an errno; 0: done */
};

/* Connect to the export `name` behind the unix socket `path`, which must have `size` bytes; wait
 * until it is ready, at most `timeout_ms`.
 */
struct nbd_writer *nbd_writer_new(struct loop *loop, const char *path, const char *name,
                                  uint64_t size, uint64_t timeout_ms, struct error *err);

/* Each makes a request, whose done() always follows, although never before the call has returned.
 * The buffer is borrowed until then.
 */
void nbd_writer_write(struct nbd_writer *writer, struct nbd_request *request, const void *buffer,
                      size_t length, uint64_t offset);
void nbd_writer_zero(struct nbd_writer *writer, struct nbd_request *request, size_t length,
                     uint64_t offset);
/* Make durable what has been answered before. */
void nbd_writer_flush(struct nbd_writer *writer, struct nbd_request *request);

/* Has nothing gone wrong so far? */
bool nbd_writer_ok(const struct nbd_writer *writer, struct error *err);

/* Close the connection; no done() follows any more. NULL is fine. */
void nbd_writer_free(struct nbd_writer *writer);

#endif

/* Buffered bytes in both directions, on one descriptor or a pair.
 *
 * What has come in stays in the buffer until it is consumed; what is written
 * is queued. Both the session and the QMP client are built on it.
 */
#ifndef XMIG_STREAM_H
#define XMIG_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "xmig/loop.h"

struct stream;

/* Takes the descriptors (sockets, pipes or terminals: others are refused; they may be the
 * same one), also when it fails. Reading starts at once. `limit` bytes unread stop the
 * reading until some are consumed.
 */
struct stream *stream_new(struct loop *loop, int in_fd, int out_fd, size_t limit,
                          struct error *err);

/* Closes the descriptors; what is queued and unsent is lost. NULL is fine. */
void stream_free(struct stream *stream);

/* `changed(arg)` runs on the loop when bytes or the end have come in. */
void stream_on_change(struct stream *stream, void (*changed)(void *arg), void *arg);

/* What is buffered; valid until the next consume or the loop's next turn. NULL: nothing. */
const uint8_t *stream_peek(const struct stream *stream, size_t *len);
void stream_consume(struct stream *stream, size_t len);

/* The other end closed its side, or the connection broke (`err` says how). */
bool stream_ended(const struct stream *stream, struct error *err);

/* Queue a copy of `data`. False when the stream has already ended. */
bool stream_write(struct stream *stream, const void *data, size_t len, struct error *err);

/* Bytes that are queued and not yet taken by the kernel. */
size_t stream_unsent(const struct stream *stream);

/* Break the connection in both directions; it then reads as ended. */
void stream_shutdown(struct stream *stream);

/* Wait until everything queued has been handed to the kernel. */
bool stream_flush(struct stream *stream, uint64_t timeout_ms, struct error *err);

#endif

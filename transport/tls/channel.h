/* A channel is one end of an encrypted connection, made by libcurl at the sender (curl-channel.c)
 * or by OpenSSL at the receiver (ssl-channel.c). Only the last three functions wait.
 */
#ifndef XMIG_TRANSPORT_TLS_CHANNEL_H
#define XMIG_TRANSPORT_TLS_CHANNEL_H

#include <stdint.h>
#include <sys/types.h>

#include <openssl/ssl.h>

#include "transport/lanes/share.h"

struct channel;

enum {
    CHANNEL_AGAIN = -1,      /* nothing now: poll() the channel's descriptor */
    CHANNEL_LOST = -2,       /* `err` says why */
    CHANNEL_DEAD_MS = 120000 /* the link is dead when bytes are not acknowledged for so long */
};

struct channel_ops {
    /* Return the count of bytes, 0 at the end of the peer's stream, or one of the above. The
     * library may hold decrypted bytes of which poll() knows nothing, so read until CHANNEL_AGAIN
     * before poll().
     */
    ssize_t (*read)(struct channel *channel, void *bytes, size_t size, struct error *err);
    ssize_t (*write)(struct channel *channel, const void *bytes, size_t size, struct error *err);
    /* Send the written bytes that the library still holds. Returns 0, or one of the above. */
    ssize_t (*flush)(struct channel *channel, struct error *err);
    /* Then tell the peer that nothing more follows; the peer may go on sending. Returns 0, or one
     * of the above.
     */
    ssize_t (*finish)(struct channel *channel, struct error *err);
    void (*free)(struct channel *channel);
};

struct channel {
    const struct channel_ops *ops;
    int fd;   /* for poll(); closed with the channel */
    SSL *ssl; /* for ssl-bytes.h */
};

void channel_free(struct channel *channel);

/* Read or write exactly `size` bytes within `timeout_ms`. Another thread ends the wait by making
 * `stop` (-1: none) readable: ERROR_CANCELLED.
 */
bool channel_read_all(struct channel *channel, void *bytes, size_t size, int stop,
                      uint64_t timeout_ms, struct error *err);
bool channel_write_all(struct channel *channel, const void *bytes, size_t size, int stop,
                       uint64_t timeout_ms, struct error *err);

struct pump_options {
    struct carrier carrier; /* limits and counts the bytes that come by the channel */
    void (*delivered)(
        void *arg); /* all that came from `fd`, and its end, have been passed on; NULL */
    void *arg;
};

/**
 * Move bytes both ways between the socket `fd` and the channel until both directions have ended,
 * or `stop` can be read. Takes 256 KiB, and reads nothing that the other end does not take.
 *
 * @return false also when bytes could not be delivered
 */
bool channel_pump(struct channel *channel, int fd, int stop, const struct pump_options *options,
                  struct error *err);

#endif

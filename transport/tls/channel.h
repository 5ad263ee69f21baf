/* One end of an encrypted connection, whichever library made it: libcurl at the sender
 * (curl-channel.c), OpenSSL at the receiver (ssl-channel.c). Nothing here waits but the last three.
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
    CHANNEL_DEAD_MS = 120000 /* what is not acknowledged for so long: the link is dead */
};

struct channel_ops {
    /* How many bytes, 0 at the peer's end of stream, or one of the above. A library keeps bytes
     * that poll() knows nothing of: read until CHANNEL_AGAIN first.
     */
    ssize_t (*read)(struct channel *channel, void *bytes, size_t size, struct error *err);
    ssize_t (*write)(struct channel *channel, const void *bytes, size_t size, struct error *err);
    /* Let go what a library has gathered of that. 0, or one of the above. */
    ssize_t (*flush)(struct channel *channel, struct error *err);
    /* Tell the peer, after that, that nothing more follows; it may go on. 0, or one of the above.
     */
    ssize_t (*finish)(struct channel *channel, struct error *err);
    void (*free)(struct channel *channel);
};

struct channel {
    const struct channel_ops *ops;
    int fd;   /* to poll(); the channel's own */
    SSL *ssl; /* for ssl-bytes.h */
};

void channel_free(struct channel *channel);

/* Exactly so many bytes, within `timeout_ms`; ERROR_CANCELLED as soon as `stop` (-1: none) can be
 * read, by which another thread ends the wait.
 */
bool channel_read_all(struct channel *channel, void *bytes, size_t size, int stop,
                      uint64_t timeout_ms, struct error *err);
bool channel_write_all(struct channel *channel, const void *bytes, size_t size, int stop,
                       uint64_t timeout_ms, struct error *err);

struct pump_options {
    struct carrier carrier; /* limits, and counts, what comes by the channel */
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

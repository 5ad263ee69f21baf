/* The receiver's end of a connection: OpenSSL's. */
#ifndef XMIG_TRANSPORT_LISTEN_SSL_CHANNEL_H
#define XMIG_TRANSPORT_LISTEN_SSL_CHANNEL_H

#include <openssl/ssl.h>

#include "transport/tls/channel.h"

/* Shake hands with whoever has connected to `fd` (taken). NULL: `err` says what was wrong. */
struct channel *ssl_channel_accept(SSL_CTX *context, int fd, uint64_t timeout_ms,
                                   struct error *err);

/* The peer's certificate, the caller's to free. */
X509 *ssl_channel_certificate(struct channel *channel);

/* Let the peer read what was said last before the connection is closed. */
void ssl_channel_linger(struct channel *channel);

#endif

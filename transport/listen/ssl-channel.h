/* The receiver's end of an encrypted connection, by OpenSSL. */
#ifndef XMIG_TRANSPORT_LISTEN_SSL_CHANNEL_H
#define XMIG_TRANSPORT_LISTEN_SSL_CHANNEL_H

#include <openssl/ssl.h>

#include "transport/tls/channel.h"

/* Shake hands on the accepted socket `fd` (taken). NULL: `err` says why not. */
struct channel *ssl_channel_accept(SSL_CTX *context, int fd, uint64_t timeout_ms,
                                   struct error *err);

/* The peer's certificate, the caller's to free. */
X509 *ssl_channel_certificate(struct channel *channel);

/* Close such that the peer can still read the last bytes. */
void ssl_channel_linger(struct channel *channel);

#endif

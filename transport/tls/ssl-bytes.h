/* The bytes of an encrypted connection that has been made, by OpenSSL alone. */
#ifndef XMIG_TRANSPORT_TLS_SSL_BYTES_H
#define XMIG_TRANSPORT_TLS_SSL_BYTES_H

#include "transport/tls/channel.h"

/* From now on what is written is gathered, so that many records go by one call of the system. */
void ssl_bytes_gather(struct channel *channel);

/* As in struct channel_ops, by channel->ssl. */
ssize_t ssl_bytes_read(struct channel *channel, void *bytes, size_t size, struct error *err);
ssize_t ssl_bytes_write(struct channel *channel, const void *bytes, size_t size, struct error *err);
ssize_t ssl_bytes_flush(struct channel *channel, struct error *err);
ssize_t ssl_bytes_finish(struct channel *channel, struct error *err);

#endif

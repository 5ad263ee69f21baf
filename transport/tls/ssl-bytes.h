/* Reads and writes a connection by OpenSSL alone, once the connection has been made. */
#ifndef XMIG_TRANSPORT_TLS_SSL_BYTES_H
#define XMIG_TRANSPORT_TLS_SSL_BYTES_H

#include "transport/tls/channel.h"

/* From now on written bytes are gathered, so that one system call sends many records. */
void ssl_bytes_gather(struct channel *channel);

/* The functions of struct channel_ops; they use channel->ssl. */
ssize_t ssl_bytes_read(struct channel *channel, void *bytes, size_t size, struct error *err);
ssize_t ssl_bytes_write(struct channel *channel, const void *bytes, size_t size, struct error *err);
ssize_t ssl_bytes_flush(struct channel *channel, struct error *err);
ssize_t ssl_bytes_finish(struct channel *channel, struct error *err);

#endif

/* Reading and writing by OpenSSL. */
#include "transport/tls/ssl-bytes.h"

#include <errno.h>

#include <openssl/err.h>

#include "xmig/cleanup.h"

enum {
    GATHERED = 128 * 1024 /* 8 records */
};

/* Put a buffer under OpenSSL, which else makes a system call for each record of 16 KiB. */
void ssl_bytes_gather(struct channel *channel)
{
    BIO *buffer = must(BIO_new(BIO_f_buffer()));

    (void)BIO_set_write_buffer_size(buffer, GATHERED);
    SSL_set0_rbio(channel->ssl, must(BIO_new_socket(channel->fd, BIO_NOCLOSE)));
    SSL_set0_wbio(channel->ssl, BIO_push(buffer, must(BIO_new_socket(channel->fd, BIO_NOCLOSE))));
}

static ssize_t lost(struct error *err)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    error_set(err, ERROR_LOST, "the connection broke: %s", reason ? reason : strerror(errno));
    return CHANNEL_LOST;
}

static ssize_t result_of(const struct channel *channel, int result, struct error *err)
{
    switch (SSL_get_error(channel->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return CHANNEL_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return lost(err);
    }
}

ssize_t ssl_bytes_read(struct channel *channel, void *bytes, size_t size, struct error *err)
{
    size_t count = 0;
    int result;

    ERR_clear_error();
    result = SSL_read_ex(channel->ssl, bytes, size, &count);
    return result > 0 ? (ssize_t)count : result_of(channel, result, err);
}

ssize_t ssl_bytes_write(struct channel *channel, const void *bytes, size_t size, struct error *err)
{
    size_t count = 0;
    int result;

    ERR_clear_error();
    result = SSL_write_ex(channel->ssl, bytes, size, &count);
    return result > 0 ? (ssize_t)count : result_of(channel, result, err);
}

ssize_t ssl_bytes_flush(struct channel *channel, struct error *err)
{
    BIO *out = SSL_get_wbio(channel->ssl);

    ERR_clear_error();
    if (BIO_flush(out) > 0)
        return 0;
    return BIO_should_retry(out) ? CHANNEL_AGAIN : lost(err);
}

/* Call SSL_shutdown() once only: a second call would read and drop what the peer still sends. The
 * alert fits into the buffer, which is empty now.
 */
ssize_t ssl_bytes_finish(struct channel *channel, struct error *err)
{
    int result = 0;

    ERR_clear_error();
    if (!(SSL_get_shutdown(channel->ssl) & SSL_SENT_SHUTDOWN))
        result = SSL_shutdown(channel->ssl);
    return result >= 0 ? ssl_bytes_flush(channel, err) : result_of(channel, result, err);
}

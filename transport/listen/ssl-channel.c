/* The channel of an accepted connection, by OpenSSL. */
#include "transport/listen/ssl-channel.h"

#include <fcntl.h>
#include <poll.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "transport/tls/ssl-bytes.h"
#include "transport/tls/verify.h"
#include "xmig/cleanup.h"
#include "xmig/loop.h"

enum {
    LINGER_MS = 2000,
    LINGER_BYTES = 1024 * 1024,
};

static void ssl_free(struct channel *channel)
{
    SSL_free(channel->ssl);
    close(channel->fd);
    free(channel);
}

void ssl_channel_linger(struct channel *channel)
{
    char bytes[4096];
    uint64_t until = loop_now_ms() + LINGER_MS;
    size_t seen = 0;

    (void)ssl_bytes_finish(channel, NULL);
    shutdown(channel->fd, SHUT_WR);
    while (seen < LINGER_BYTES && loop_now_ms() < until) {
        struct pollfd polled = { .fd = channel->fd, .events = POLLIN };
        ssize_t count;

        (void)poll(&polled, 1, (int)(until - loop_now_ms()));
        count = read(channel->fd, bytes, sizeof(bytes));
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
            return;
        seen += count > 0 ? (size_t)count : 0;
    }
}

/* ---- the handshake ---- */

/* Explain in plain words why the handshake failed. */
static bool explain_refusal(const SSL *ssl, struct error *err)
{
    struct fingerprint own;
    char own_key[FINGERPRINT_TEXT] = "FINGERPRINT";
    unsigned long code = ERR_peek_error();
    const char *reason = verify_reason(SSL_get_verify_result(ssl));

    switch (ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return error_set(err, ERROR_REFUSED, "its certificate %s",
                         reason ? reason
                                : X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return error_set(err, ERROR_REFUSED, "it has shown no certificate");
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
        return error_set(err, ERROR_REFUSED, "it does not speak TLS 1.3");
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_BAD_RECORD_TYPE:
        return error_set(err, ERROR_PROTOCOL, "it does not speak TLS");
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return error_set(err, ERROR_REFUSED,
                         "it takes this host's certificate for one that has expired");
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        return error_set(err, ERROR_REFUSED,
                         "it takes this host's certificate for one that has been revoked");
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        if (fingerprint_of(SSL_get_certificate(ssl), &own))
            fingerprint_print(&own, own_key);
        return error_set(
            err, ERROR_REFUSED,
            "it does not trust this host's certificate: run 'xmig keys trust %s' there", own_key);
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        return error_set(err, ERROR_REFUSED,
                         "it does not take this host's certificate: its own words have the reason");
    default:
        reason = ERR_reason_error_string(code);
        return error_set(err, ERROR_LOST, "the handshake failed: %s",
                         reason ? reason : "it closed the connection");
    }
}

static bool shake_hands(struct channel *channel, uint64_t timeout_ms, struct error *err)
{
    SSL *ssl = channel->ssl;
    uint64_t until = loop_now_ms() + timeout_ms;

    for (;;) {
        struct pollfd polled = { .fd = channel->fd };
        int result;

        ERR_clear_error();
        result = SSL_accept(ssl);
        if (result > 0)
            return true;
        switch (SSL_get_error(ssl, result)) {
        case SSL_ERROR_WANT_READ:
            polled.events = POLLIN;
            break;
        case SSL_ERROR_WANT_WRITE:
            polled.events = POLLOUT;
            break;
        default:
            return explain_refusal(ssl, err);
        }
        if (loop_now_ms() >= until)
            return error_set(err, ERROR_TIMEOUT, "it did not finish the handshake");
        (void)poll(&polled, 1, (int)(until - loop_now_ms()));
    }
}

static void set_up(int fd)
{
    const int on = 1, idle = 30, between = 10;
    const unsigned dead_ms = CHANNEL_DEAD_MS;

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof(between));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof(dead_ms));
}

struct channel *ssl_channel_accept(SSL_CTX *context, int fd, uint64_t timeout_ms, struct error *err)
{
    static const struct channel_ops ops = {
        .read = ssl_bytes_read,
        .write = ssl_bytes_write,
        .flush = ssl_bytes_flush,
        .finish = ssl_bytes_finish,
        .free = ssl_free,
    };
    struct channel *channel = must(calloc(1, sizeof(*channel)));

    *channel = (struct channel){ .ops = &ops, .fd = fd, .ssl = must(SSL_new(context)) };
    set_up(fd);
    SSL_set_fd(channel->ssl, fd);
    if (shake_hands(channel, timeout_ms, err)) {
        ssl_bytes_gather(channel);
        return channel;
    }
    ssl_channel_linger(channel);
    ssl_free(channel);
    return NULL;
}

X509 *ssl_channel_certificate(struct channel *channel)
{
    return SSL_get1_peer_certificate(channel->ssl);
}

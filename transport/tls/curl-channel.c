/* A connection that libcurl has made (CURLOPT_CONNECT_ONLY). */
#include "transport/tls/curl-channel.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "transport/tls/explain-failure.h"
#include "transport/tls/ssl-bytes.h"
#include "transport/tls/verify.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    KEEP_ALIVE_S = 30,
};

struct curl_way {
    const struct tls_place *place;
    const struct tls_settings *settings;
    CURLSH *share;
    pthread_mutex_t locks[CURL_LOCK_DATA_LAST];
};

struct curl_channel {
    struct channel channel;
    const struct curl_way *way;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *resolve;
    struct verify_rules rules;
    char text[CURL_ERROR_SIZE];
};

static struct curl_channel *of(struct channel *channel)
{
    return (struct curl_channel *)channel;
}

/* ---- what the connections share ---- */

static void lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *arg)
{
    struct curl_way *way = arg;
    (void)easy;
    (void)access;

    pthread_mutex_lock(&way->locks[data]);
}

static void unlock(CURL *easy, curl_lock_data data, void *arg)
{
    struct curl_way *way = arg;
    (void)easy;

    pthread_mutex_unlock(&way->locks[data]);
}

struct curl_way *curl_way_new(const struct tls_place *place, const struct tls_settings *settings)
{
    struct curl_way *way = must(calloc(1, sizeof(*way)));

    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        abort();
    way->place = place;
    way->settings = settings;
    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
        pthread_mutex_init(&way->locks[i], NULL);
    way->share = must(curl_share_init());
    curl_share_setopt(way->share, CURLSHOPT_LOCKFUNC, lock);
    curl_share_setopt(way->share, CURLSHOPT_UNLOCKFUNC, unlock);
    curl_share_setopt(way->share, CURLSHOPT_USERDATA, way);
    curl_share_setopt(way->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return way;
}

void curl_way_free(struct curl_way *way)
{
    if (!way)
        return;
    curl_share_cleanup(way->share);
    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
        pthread_mutex_destroy(&way->locks[i]);
    free(way);
    curl_global_cleanup();
}

/* ---- bytes ---- */

/* Explain a failure. A receiver that refuses our certificate says so only after the handshake, so
 * that the first read fails.
 */
static ssize_t fail(struct curl_channel *curl, CURLcode code, struct error *err)
{
    struct tls_failure failure = {
        .place = curl->way->place,
        .settings = curl->way->settings,
        .code = code,
        .text = *curl->text ? curl->text : curl_easy_strerror(code),
        .seen = &curl->rules.seen,
        .connected = curl->channel.fd >= 0,
    };

    curl_easy_getinfo(curl->easy, CURLINFO_SSL_VERIFYRESULT, &failure.verified);
    curl_easy_getinfo(curl->easy, CURLINFO_OS_ERRNO, &failure.os_error);
    explain_failure(&failure, err);
    return CHANNEL_LOST;
}

static ssize_t curl_read(struct channel *channel, void *bytes, size_t size, struct error *err)
{
    size_t count = 0;
    CURLcode code = curl_easy_recv(of(channel)->easy, bytes, size, &count);

    if (code == CURLE_OK)
        return (ssize_t)count;
    return code == CURLE_AGAIN ? CHANNEL_AGAIN : fail(of(channel), code, err);
}

static ssize_t curl_write(struct channel *channel, const void *bytes, size_t size,
                          struct error *err)
{
    size_t count = 0;
    CURLcode code = curl_easy_send(of(channel)->easy, bytes, size, &count);

    if (code == CURLE_OK)
        return count ? (ssize_t)count : CHANNEL_AGAIN;
    return code == CURLE_AGAIN ? CHANNEL_AGAIN : fail(of(channel), code, err);
}

static ssize_t curl_flush(struct channel *channel, struct error *err)
{
    (void)channel;
    (void)err;
    return 0;
}

static void curl_free_channel(struct channel *channel)
{
    struct curl_channel *curl = of(channel);

    curl_multi_remove_handle(curl->multi, curl->easy);
    curl_easy_cleanup(curl->easy);
    curl_multi_cleanup(curl->multi);
    curl_slist_free_all(curl->resolve);
    free(curl);
}

/* ---- connecting ---- */

/* Open the socket such that child processes do not inherit it. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    const unsigned dead_ms = CHANNEL_DEAD_MS;
    int fd;
    (void)arg;
    (void)purpose;

    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof(dead_ms));
    return fd;
}

static CURLcode set_up_tls(CURL *easy, void *context, void *arg)
{
    struct curl_channel *curl = arg;
    (void)easy;

    verify_tune(context);
    verify_by(context, &curl->rules);
    return CURLE_OK;
}

static void set_text(CURL *easy, CURLoption option, const char *text)
{
    if (text)
        curl_easy_setopt(easy, option, text);
}

static void set_way(struct curl_channel *curl)
{
    const struct curl_way *way = curl->way;
    const struct tls_options *given = &way->settings->given;
    const cJSON *item;
    bool is_v6 = strchr(way->place->host, ':') != NULL;
    CURL *easy = curl->easy;
    AUTO_FREE char *url = formatted("https://%s%s%s:%d/", is_v6 ? "[" : "", way->place->host,
                                    is_v6 ? "]" : "", way->place->port);

    curl_easy_setopt(easy, CURLOPT_URL, url);
    set_text(easy, CURLOPT_PROXY, given->proxy);
    set_text(easy, CURLOPT_NOPROXY, given->noproxy);
    set_text(easy, CURLOPT_INTERFACE, given->interface);
    cJSON_ArrayForEach (item, given->resolve)
        curl->resolve = must(curl_slist_append(curl->resolve, item->valuestring));
    curl_easy_setopt(easy, CURLOPT_RESOLVE, curl->resolve);
    curl_easy_setopt(easy, CURLOPT_IPRESOLVE,
                     given->ip == 4   ? (long)CURL_IPRESOLVE_V4
                     : given->ip == 6 ? (long)CURL_IPRESOLVE_V6
                                      : (long)CURL_IPRESOLVE_WHATEVER);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)given->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEP_ALIVE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEP_ALIVE_S / 3);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
}

/* Say what is trusted. Where keys alone are trusted, names and authorities do not matter, and no
 * file of authorities is read.
 */
static void set_keys(struct curl_channel *curl)
{
    const struct tls_settings *settings = curl->way->settings;
    bool by_key = settings->trusted.count > 0;
    CURL *easy = curl->easy;

    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
    curl_easy_setopt(easy, CURLOPT_SSLCERT, settings->certificate);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, settings->key);
    curl_easy_setopt(easy, CURLOPT_KEYPASSWD, ""); /* asks nobody at the terminal */
    if (by_key) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    set_text(easy, CURLOPT_CAINFO, settings->given.cacert);
    set_text(easy, CURLOPT_CRLFILE, settings->given.crlfile);
    set_text(easy, CURLOPT_PINNEDPUBLICKEY, settings->given.pinnedpubkey);
    curl->rules = (struct verify_rules){ .trusted = &settings->trusted, .authority = !by_key };
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, set_up_tls);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, curl);
    curl_easy_setopt(easy, CURLOPT_SHARE, curl->way->share);
}

static bool find_result(CURLM *multi, CURLcode *code)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi, &left)))
        if (message->msg == CURLMSG_DONE) {
            *code = message->data.result;
            return true;
        }
    return false;
}

/* Connect. The wait is ended by libcurl's own time limit. */
static bool connect_now(struct curl_channel *curl, int stop, struct error *err)
{
    CURLcode code = CURLE_OK;
    curl_socket_t fd = -1;

    for (;;) {
        struct curl_waitfd stopped = { .fd = stop, .events = CURL_WAIT_POLLIN };
        int running;

        curl_multi_perform(curl->multi, &running);
        if (find_result(curl->multi, &code))
            break;
        curl_multi_poll(curl->multi, &stopped, 1, 1000, NULL);
        if (stopped.revents)
            return error_set(err, ERROR_CANCELLED, "the connection was cut");
    }
    if (code == CURLE_OK)
        curl_easy_getinfo(curl->easy, CURLINFO_ACTIVESOCKET, &fd);
    curl->channel.fd = fd;
    return fd >= 0 || fail(curl, code, err) != CHANNEL_LOST;
}

bool curl_channel_let_go(struct channel *channel, struct error *err)
{
    static const struct channel_ops ops = {
        .read = ssl_bytes_read,
        .write = ssl_bytes_write,
        .flush = ssl_bytes_flush,
        .finish = ssl_bytes_finish,
        .free = curl_free_channel,
    };
    const struct curl_tlssessioninfo *tls = NULL;

    curl_easy_getinfo(of(channel)->easy, CURLINFO_TLS_SSL_PTR, &tls);
    if (!tls || tls->backend != CURLSSLBACKEND_OPENSSL || !tls->internals)
        return error_set(err, ERROR_SYSTEM, "libcurl was built with another library than OpenSSL");
    channel->ssl = tls->internals;
    channel->ops = &ops;
    ssl_bytes_gather(channel);
    return true;
}

struct channel *curl_channel_new(struct curl_way *way, int stop, struct error *err)
{
    static const struct channel_ops ops = {
        .read = curl_read,
        .write = curl_write,
        .flush = curl_flush,
        .free = curl_free_channel,
    };
    struct curl_channel *curl = must(calloc(1, sizeof(*curl)));

    curl->channel = (struct channel){ .ops = &ops, .fd = -1 };
    curl->way = way;
    curl->multi = must(curl_multi_init());
    curl->easy = must(curl_easy_init());
    curl_easy_setopt(curl->easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(curl->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl->easy, CURLOPT_QUICK_EXIT, 1L); /* awaits no name server */
    curl_easy_setopt(curl->easy, CURLOPT_ERRORBUFFER, curl->text);
    set_way(curl);
    set_keys(curl);
    curl_multi_add_handle(curl->multi, curl->easy);
    if (connect_now(curl, stop, err))
        return &curl->channel;
    curl_free_channel(&curl->channel);
    return NULL;
}

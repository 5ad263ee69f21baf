/* How a sender reaches a receiver over TLS, in the words of curl's options. The journal keeps the
 * options, as one JSON object, so that `xmig recover` need not be told them again.
 */
#ifndef XMIG_TRANSPORT_TLS_SETTINGS_H
#define XMIG_TRANSPORT_TLS_SETTINGS_H

#include "transport/tls/keys.h"
#include "transport/tls/trusted-keys.h"
#include "xmig/fields.h"

/* The HOST:PORT of a destination. */
struct tls_place {
    char *host; /* without brackets */
    int port;
};
bool tls_place_parse(const char *text, struct tls_place *place, struct error *err);
void tls_place_done(struct tls_place *place);

/* Split HOST:PORT for callers that permit other hosts or ports. Returns where the text of the port
 * begins; `*host` is the caller's to free. NULL: the text has not these two parts.
 */
const char *place_split(const char *text, char **host);
int port_parse(const char *text, const char **rest);

/* The options of a connection. NULL, 0 or "": not given. */
struct tls_options {
    const char *cacert, *cert, *key, *crlfile, *pinnedpubkey, *proxy, *noproxy, *interface;
    const cJSON *resolve; /* strings */
    uint64_t connect_timeout_ms;
    uint64_t ip;      /* 4 or 6 */
    const char *keys; /* the directory of keys.h */
};

struct tls_settings {
    struct tls_options given;
    struct keys keys;
    const char *certificate; /* ours */
    const char *key;
    /* Keys that are trusted without an authority. If there are none, an authority must vouch for
     * the peer.
     */
    struct trusted trusted;
};

/* Read `options` (borrowed; NULL: none were given), and find what they leave out in this host's own
 * keys. `host` is the receiver. ERROR_REFUSED names what is missing.
 */
bool tls_settings_read(struct tls_settings *settings, const cJSON *options, const char *host,
                       struct error *err);
void tls_settings_done(struct tls_settings *settings);

#endif

/* How a sender reaches a receiver over TLS, in curl's words. They are one JSON object, from the
 * command line to the journal, so that `xmig recover` need not be told again.
 */
#ifndef XMIG_TRANSPORT_TLS_SETTINGS_H
#define XMIG_TRANSPORT_TLS_SETTINGS_H

#include "transport/tls/keys.h"
#include "transport/tls/trusted-keys.h"
#include "xmig/fields.h"

/* HOST:PORT, as in a destination. */
struct tls_place {
    char *host; /* without brackets */
    int port;
};
bool tls_place_parse(const char *text, struct tls_place *place, struct error *err);
void tls_place_done(struct tls_place *place);

/* The two parts of it, for whoever permits another host, or another port: where the port's text
 * begins, and the host, the caller's to free; NULL: there are no two. A port is -1 where there is
 * none, and `rest` is what follows.
 */
const char *place_split(const char *text, char **host);
int port_parse(const char *text, const char **rest);

/* NULL, 0 or "": left out. */
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
    /* Keys that are trusted without an authority. None: an authority must vouch for the peer. */
    struct trusted trusted;
};

/* `options` is borrowed; NULL: all are left out. What is left out is found here, where `host` is to
 * be reached; ERROR_REFUSED names what is missing.
 */
bool tls_settings_read(struct tls_settings *settings, const cJSON *options, const char *host,
                       struct error *err);
void tls_settings_done(struct tls_settings *settings);

#endif

/* The rules by which both sides check each other's certificate, and settings of the protocol. */
#ifndef XMIG_TRANSPORT_TLS_VERIFY_H
#define XMIG_TRANSPORT_TLS_VERIFY_H

#include <openssl/ssl.h>

#include "transport/tls/trusted-keys.h"

/* Permit TLS 1.3 only, and make it fast. */
void verify_tune(SSL_CTX *context);

struct verify_rules {
    const struct trusted *trusted; /* a certificate with one of these keys needs no authority */
    bool authority;                /* about others OpenSSL and the context's authorities decide */
    struct fingerprint seen;       /* of the certificate that was looked at last */
    bool is_stranger;              /* nobody vouches for that one */
};

/* Look at peers' certificates by these rules, which are borrowed. */
void verify_by(SSL_CTX *context, struct verify_rules *rules);

/* Does the code mean that nobody vouches for a certificate, which may be a good one? */
bool verify_found_stranger(long code);

/* Why a certificate was refused, as a person would say it; NULL: OpenSSL's own words must do. */
const char *verify_reason(long code);

#endif

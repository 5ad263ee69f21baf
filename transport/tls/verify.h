/* What both sides ask of each other's certificates, and of the protocol. */
#ifndef XMIG_TRANSPORT_TLS_VERIFY_H
#define XMIG_TRANSPORT_TLS_VERIFY_H

#include <openssl/ssl.h>

#include "transport/tls/trusted-keys.h"

/* TLS 1.3 only, and what makes it fast. */
void verify_tune(SSL_CTX *context);

struct verify_rules {
    const struct trusted *trusted; /* whose key is one of these needs nobody to vouch for it */
    bool authority;                /* for others OpenSSL's own rules, and the context's, decide */
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

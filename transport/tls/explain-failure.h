/* Explains, at the sender, why a connection failed, and what to do about it. */
#ifndef XMIG_TRANSPORT_TLS_EXPLAIN_FAILURE_H
#define XMIG_TRANSPORT_TLS_EXPLAIN_FAILURE_H

#include <curl/curl.h>

#include "transport/tls/settings.h"

struct tls_failure {
    const struct tls_place *place;
    const struct tls_settings *settings;
    CURLcode code;
    const char *text;               /* libcurl's */
    long verified;                  /* OpenSSL's verdict on the peer's certificate, X509_V_... */
    long os_error;                  /* errno of a connection that was not made; 0 */
    bool connected;                 /* the connection was made, and has broken since */
    const struct fingerprint *seen; /* of the peer's key */
};

/* Fill in `err`. Returns false. */
bool explain_failure(const struct tls_failure *failure, struct error *err);

#endif

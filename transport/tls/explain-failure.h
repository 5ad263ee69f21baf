/* What refused a connection, and the cure, at the sender. */
#ifndef XMIG_TRANSPORT_TLS_EXPLAIN_FAILURE_H
#define XMIG_TRANSPORT_TLS_EXPLAIN_FAILURE_H

#include <curl/curl.h>

#include "transport/tls/settings.h"

struct tls_failure {
    const struct tls_place *place;
    const struct tls_settings *settings;
    CURLcode code;
    const char *text;               /* libcurl's */
    long verified;                  /* OpenSSL's word on the peer's certificate */
    long os_error;                  /* errno of a connection that was not made; 0 */
    bool connected;                 /* the connection was made, and has broken since */
    const struct fingerprint *seen; /* of the peer's key */
};

/* Always false. */
bool explain_failure(const struct tls_failure *failure, struct error *err);

#endif

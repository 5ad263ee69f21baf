/* The listener's own key, and the keys and authorities by which it knows others. */
#ifndef XMIG_TRANSPORT_LISTEN_TLS_CONTEXT_H
#define XMIG_TRANSPORT_LISTEN_TLS_CONTEXT_H

#include <sys/stat.h>

#include "transport/listen/listen.h"
#include "transport/tls/verify.h"

enum {
    CONTEXT_FILES = 5
};

struct tls_context {
    const struct listen_options *options;
    SSL_CTX *ssl;
    struct trusted trusted;
    struct verify_rules rules;
    struct stat seen[CONTEXT_FILES];
};

bool tls_context_load(struct tls_context *context, const struct listen_options *options,
                      struct error *err);
void tls_context_done(struct tls_context *context);

/* Read the files again if one of them has changed: what is revoked counts at once, and sessions
 * from before are not resumed. False: they cannot be read, and the old ones go on.
 */
bool tls_context_refresh(struct tls_context *context, struct error *err);

/* A peer's certificate, for the log and for its policy: NULL where it has no fit name. The caller
 * frees it.
 */
char *tls_context_name_of(const struct tls_context *context, const X509 *certificate);

#endif

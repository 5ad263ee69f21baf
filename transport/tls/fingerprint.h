/* What a public key is known by: the SHA-256 of it, as curl's --pinnedpubkey takes it. */
#ifndef XMIG_TRANSPORT_TLS_FINGERPRINT_H
#define XMIG_TRANSPORT_TLS_FINGERPRINT_H

#include <stdint.h>

#include <openssl/x509.h>

#include "xmig/error.h"

enum {
    FINGERPRINT_TEXT = 8 + 44 + 1 /* "sha256//", base64, NUL */
};

struct fingerprint {
    uint8_t hash[32];
};

bool fingerprint_of(const X509 *certificate, struct fingerprint *fingerprint);
/* Of the first certificate in a PEM file. */
bool fingerprint_of_file(const char *path, struct fingerprint *fingerprint, struct error *err);

bool fingerprint_is(const struct fingerprint *one, const struct fingerprint *other);
void fingerprint_print(const struct fingerprint *fingerprint, char text[FINGERPRINT_TEXT]);
bool fingerprint_parse(const char *text, struct fingerprint *fingerprint, struct error *err);

#endif

/* Fingerprints of public keys. */
#include "transport/tls/fingerprint.h"

#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "xmig/cleanup.h"

#define PREFIX "sha256//"

bool fingerprint_of(const X509 *certificate, struct fingerprint *fingerprint)
{
    unsigned char *bytes = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &bytes);

    if (len <= 0)
        return false;
    SHA256(bytes, (size_t)len, fingerprint->hash);
    OPENSSL_free(bytes);
    return true;
}

bool fingerprint_of_file(const char *path, struct fingerprint *fingerprint, struct error *err)
{
    FILE *file = fopen(path, "re");
    X509 *certificate;
    bool ok;

    if (!file)
        return error_set(err, ERROR_REFUSED, "cannot read the certificate '%s': %m", path);
    certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    ok = certificate && fingerprint_of(certificate, fingerprint);
    X509_free(certificate);
    return ok || error_set(err, ERROR_REFUSED, "'%s' is no certificate in PEM form", path);
}

bool fingerprint_is(const struct fingerprint *one, const struct fingerprint *other)
{
    return CRYPTO_memcmp(one->hash, other->hash, sizeof(one->hash)) == 0;
}

void fingerprint_print(const struct fingerprint *fingerprint, char text[FINGERPRINT_TEXT])
{
    memcpy(text, PREFIX, strlen(PREFIX));
    EVP_EncodeBlock((unsigned char *)text + strlen(PREFIX), fingerprint->hash,
                    sizeof(fingerprint->hash));
}

/* The base64 of 32 bytes has 44 characters, the last of them '='; the decoder fills 33 bytes, of
 * which the last one does not count.
 */
bool fingerprint_parse(const char *text, struct fingerprint *fingerprint, struct error *err)
{
    unsigned char bytes[33];
    char again[FINGERPRINT_TEXT];

    if (strlen(text) == FINGERPRINT_TEXT - 1 && !strncmp(text, PREFIX, strlen(PREFIX)) &&
        EVP_DecodeBlock(bytes, (const unsigned char *)text + strlen(PREFIX), 44) == 33) {
        memcpy(fingerprint->hash, bytes, sizeof(fingerprint->hash));
        fingerprint_print(fingerprint, again);
        if (!strcmp(again, text))
            return true;
    }
    return error_set(err, ERROR_REFUSED,
                     "'%s' is no fingerprint: it is '" PREFIX "' and 44 characters, as 'xmig keys "
                     "show' prints it on the other host",
                     text);
}

/* A peer's certificate: what its key and its names make of it, before anybody trusts it. */
#include <openssl/x509.h>

#include "transport/listen/tls-context.h"
#include "xmig/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tls_context context = { 0 };
    X509 *certificate = d2i_X509(NULL, &(const unsigned char *){ data }, (long)size);
    struct fingerprint fingerprint;
    AUTO_FREE char *name = NULL;

    if (!certificate)
        return 0;
    (void)fingerprint_of(certificate, &fingerprint);
    name = tls_context_name_of(&context, certificate);
    if (name && !trusted_name_is_fit(name))
        abort();
    X509_free(certificate);
    return 0;
}

/* Trust by key, beside trust by authority. */
#include "transport/tls/verify.h"

void verify_tune(SSL_CTX *context)
{
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    /* A write that would block may be repeated with more bytes, and from another address. */
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_cert_list(context, 32 * 1024);
    /* Read several records by one system call. */
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, 128 * 1024);
}

static int by_date(const X509 *certificate)
{
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        return X509_V_ERR_CERT_NOT_YET_VALID;
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        return X509_V_ERR_CERT_HAS_EXPIRED;
    return X509_V_OK;
}

static int verify(X509_STORE_CTX *store, void *arg)
{
    struct verify_rules *rules = arg;
    const X509 *certificate = X509_STORE_CTX_get0_cert(store);
    int code = X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT; /* the alert: not known */
    bool ok;

    if (!certificate || !fingerprint_of(certificate, &rules->seen)) {
        code = X509_V_ERR_UNSPECIFIED;
    } else if (trusted_find(rules->trusted, &rules->seen)) {
        code = by_date(certificate);
    } else if (rules->authority) {
        ok = X509_verify_cert(store) > 0;
        rules->is_stranger = !ok && verify_found_stranger(X509_STORE_CTX_get_error(store));
        return ok;
    }
    rules->is_stranger = verify_found_stranger(code);
    X509_STORE_CTX_set_error(store, code);
    return code == X509_V_OK;
}

void verify_by(SSL_CTX *context, struct verify_rules *rules)
{
    SSL_CTX_set_cert_verify_callback(context, verify, rules);
}

bool verify_found_stranger(long code)
{
    return code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
           code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
           code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
           code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

const char *verify_reason(long code)
{
    if (verify_found_stranger(code))
        return "is signed by no authority that is trusted here, and its key is not trusted either";
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "is not valid yet";
    case X509_V_ERR_CERT_REVOKED:
        return "has been revoked";
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
        return "cannot be looked up: the list of revoked ones (--crlfile) is out of date";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        return "cannot be looked up: no list of revoked ones (--crlfile) comes from its authority";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "is another host's";
    case X509_V_ERR_INVALID_PURPOSE:
        return "is made for another purpose";
    default:
        return NULL;
    }
}

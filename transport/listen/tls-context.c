/* Loads the listener's keys and authorities, and again when their files change. */
#include "transport/listen/tls-context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "xmig/cleanup.h"

static const char *certificate_of(const struct listen_options *options)
{
    return options->cert ? options->cert : options->keys.certificate;
}

static const char *key_of(const struct listen_options *options)
{
    return options->key ? options->key : options->cert ? options->cert : options->keys.key;
}

static void look(const struct listen_options *options, struct stat seen[CONTEXT_FILES])
{
    const char *const files[CONTEXT_FILES] = { certificate_of(options), key_of(options),
                                               options->cacert, options->crlfile,
                                               options->keys.trusted };

    memset(seen, 0, CONTEXT_FILES * sizeof(*seen));
    for (size_t i = 0; i < CONTEXT_FILES; i++)
        if (files[i])
            (void)stat(files[i], &seen[i]);
}

static bool complain(const char *what, const char *path, struct error *err)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return error_set(err, ERROR_REFUSED, "cannot use '%s' as %s: %s", path, what,
                     reason ? reason : "it cannot be read");
}

static bool load_own(SSL_CTX *ssl, const struct listen_options *options, struct error *err)
{
    if (options->key && !options->cert)
        return error_set(err, ERROR_REFUSED, "--key needs the certificate, too: give --cert");
    if (!options->cert && !keys_check(&options->keys, err))
        return false;
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ssl, certificate_of(options)) <= 0)
        return complain("a certificate", certificate_of(options), err);
    if (SSL_CTX_use_PrivateKey_file(ssl, key_of(options), SSL_FILETYPE_PEM) <= 0)
        return complain("its key", key_of(options), err);
    return true;
}

static bool load_revoked(SSL_CTX *ssl, const char *path, struct error *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

    if (!lookup || X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) <= 0)
        return complain("a list of revoked certificates", path, err);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return true;
}

/* Load whom to trust. The authorities that the system trusts for web sites count for nothing here:
 * the user must name an authority.
 */
static bool load_others(struct tls_context *context, SSL_CTX *ssl, struct error *err)
{
    const struct listen_options *options = context->options;

    ERR_clear_error();
    if (options->cacert && !SSL_CTX_load_verify_file(ssl, options->cacert))
        return complain("authorities", options->cacert, err);
    if (options->crlfile && !load_revoked(ssl, options->crlfile, err))
        return false;
    return trusted_read(&context->trusted, options->keys.trusted, err);
}

bool tls_context_load(struct tls_context *context, const struct listen_options *options,
                      struct error *err)
{
    static const unsigned char name[] = "xmig";
    SSL_CTX *ssl = must(SSL_CTX_new(TLS_server_method()));

    *context = (struct tls_context){ .options = options, .ssl = ssl };
    look(options, context->seen);
    verify_tune(ssl);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_id_context(ssl, name, sizeof(name));
    SSL_CTX_set_timeout(ssl, 300);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* tickets: any child resumes them */
    context->rules =
        (struct verify_rules){ .trusted = &context->trusted, .authority = options->cacert != NULL };
    verify_by(ssl, &context->rules);
    if (load_own(ssl, options, err) && load_others(context, ssl, err))
        return true;
    tls_context_done(context);
    return false;
}

void tls_context_done(struct tls_context *context)
{
    SSL_CTX_free(context->ssl);
    trusted_done(&context->trusted);
    *context = (struct tls_context){ 0 };
}

static bool is_same(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino &&
           one->st_size == other->st_size && one->st_mtim.tv_sec == other->st_mtim.tv_sec &&
           one->st_mtim.tv_nsec == other->st_mtim.tv_nsec;
}

bool tls_context_refresh(struct tls_context *context, struct error *err)
{
    struct stat now[CONTEXT_FILES];
    struct tls_context *anew;
    bool same = true;

    look(context->options, now);
    for (size_t i = 0; i < CONTEXT_FILES; i++)
        same = same && is_same(&now[i], &context->seen[i]);
    if (same)
        return true;
    anew = must(calloc(1, sizeof(*anew)));
    if (!tls_context_load(anew, context->options, err)) {
        free(anew);
        return false;
    }
    SSL_CTX_free(context->ssl);
    trusted_done(&context->trusted);
    *context = *anew;
    context->rules.trusted = &context->trusted;
    verify_by(context->ssl, &context->rules);
    free(anew);
    return true;
}

/* The name in a certificate: the first DNS name, or else the common name. */
static char *name_in(const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    char text[256] = "";

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !*text; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        const ASN1_STRING *dns = name->d.dNSName;

        if (name->type == GEN_DNS && (size_t)ASN1_STRING_length(dns) < sizeof(text) &&
            !memchr(ASN1_STRING_get0_data(dns), '\0', (size_t)ASN1_STRING_length(dns)))
            memcpy(text, ASN1_STRING_get0_data(dns), (size_t)ASN1_STRING_length(dns));
    }
    GENERAL_NAMES_free(names);
    if (!*text)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text,
                                  sizeof(text));
    return trusted_name_is_fit(text) ? must(strdup(text)) : NULL;
}

/* A key that a person trusts has the name that the person gave it, whatever its certificate says.
 */
char *tls_context_name_of(const struct tls_context *context, const X509 *certificate)
{
    struct fingerprint fingerprint;
    const struct trusted_key *key = NULL;

    if (fingerprint_of(certificate, &fingerprint))
        key = trusted_find(&context->trusted, &fingerprint);
    if (key)
        return *key->name ? must(strdup(key->name)) : NULL;
    return name_in(certificate);
}

/* A host's own key, and a certificate that it has signed itself. */
#include "transport/tls/keys.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "transport/tls/whole-file.h"
#include "xmig/cleanup.h"
#include "xmig/directory.h"
#include "xmig/text.h"

void keys_find(struct keys *keys, const char *directory)
{
    *keys = (struct keys){
        .directory = must(strdup(directory)),
        .certificate = formatted("%s/%s", directory, "cert.pem"),
        .key = formatted("%s/%s", directory, "key.pem"),
        .trusted = formatted("%s/%s", directory, "trusted"),
    };
}

void keys_done(struct keys *keys)
{
    free(keys->directory);
    free(keys->certificate);
    free(keys->key);
    free(keys->trusted);
}

bool keys_check(const struct keys *keys, struct error *err)
{
    struct stat st;

    if (stat(keys->key, &st) < 0 && errno == ENOENT)
        return error_set(err, ERROR_REFUSED,
                         "this host has no key for TLS in '%s': run 'xmig keys init', or give "
                         "--cert and --key",
                         keys->directory);
    if (access(keys->key, R_OK) < 0 || stat(keys->key, &st) < 0)
        return error_set(err, ERROR_REFUSED, "cannot read '%s': %m", keys->key);
    if (st.st_mode & 077)
        return error_set(err, ERROR_REFUSED,
                         "others may read '%s' (mode %04o): run 'chmod 600 %s', and make a new one "
                         "if somebody has",
                         keys->key, st.st_mode & 07777, keys->key);
    return true;
}

/* ---- making ---- */

static void add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = must(X509V3_EXT_conf_nid(NULL, &context, kind, value));
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* Put the names into the certificate by which others may call this host: with the domain, and
 * without.
 */
static void add_names(X509 *certificate)
{
    const struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM };
    char host[HOST_NAME_MAX + 1] = "localhost";
    struct addrinfo *found = NULL;
    AUTO_FREE char *names = NULL;
    X509_NAME *name = X509_get_subject_name(certificate);
    bool has_domain;

    (void)gethostname(host, sizeof(host) - 1);
    has_domain = getaddrinfo(host, NULL, &hints, &found) == 0 && found->ai_canonname &&
                 strcmp(found->ai_canonname, host) != 0;
    names = formatted("DNS:%s%s%s", host, has_domain ? ",DNS:" : "",
                      has_domain ? found->ai_canonname : "");
    if (found)
        freeaddrinfo(found);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)host, -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    add_extension(certificate, NID_subject_alt_name, names);
}

/* Make the certificate. Only its key matters, which people exchange, so the certificate is valid
 * for longer than any key will be used.
 */
static X509 *make_certificate(EVP_PKEY *key)
{
    enum {
        DAY = 24 * 60 * 60,
        YEARS = 20
    };
    X509 *certificate = must(X509_new());
    uint64_t serial = 0;

    RAND_bytes((unsigned char *)&serial, sizeof(serial) - 1);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial | 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY); /* clocks differ */
    X509_time_adj_ex(X509_getm_notAfter(certificate), YEARS * 365, 0, NULL);
    X509_set_pubkey(certificate, key);
    add_names(certificate);
    add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate, NID_key_usage, "critical,digitalSignature");
    add_extension(certificate, NID_ext_key_usage, "serverAuth,clientAuth");
    if (!X509_sign(certificate, key, EVP_sha256()))
        abort();
    return certificate;
}

static bool write_certificate(const struct keys *keys, EVP_PKEY *key, struct error *err)
{
    FILE *file = whole_file_begin(keys->certificate, 0600, err);
    X509 *certificate = make_certificate(key);

    if (file)
        (void)PEM_write_X509(file, certificate);
    X509_free(certificate);
    return file && whole_file_end(file, keys->certificate, err);
}

/* Write the certificate first, and the key last: where there is a key, both files are complete. */
static bool write_both(const struct keys *keys, struct error *err)
{
    EVP_PKEY *key = must(EVP_EC_gen("P-256"));
    FILE *file = write_certificate(keys, key, err) ? whole_file_begin(keys->key, 0600, err) : NULL;

    if (file)
        (void)PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    EVP_PKEY_free(key);
    return file && whole_file_end(file, keys->key, err);
}

static EVP_PKEY *read_key(const struct keys *keys, struct error *err)
{
    FILE *file = keys_check(keys, err) ? fopen(keys->key, "re") : NULL;
    EVP_PKEY *key;

    if (!file)
        return NULL;
    key = PEM_read_PrivateKey(file, NULL, NULL, (void *)""); /* asks nobody at the terminal */
    fclose(file);
    if (!key)
        error_set(err, ERROR_REFUSED,
                  "'%s' is no key in PEM form: move it away, and run 'xmig keys init' again",
                  keys->key);
    return key;
}

static bool is_certificate_of(const char *path, const EVP_PKEY *key)
{
    FILE *file = fopen(path, "re");
    X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    bool fits = certificate && X509_check_private_key(certificate, key);

    X509_free(certificate);
    if (file)
        fclose(file);
    return fits;
}

/* Make a missing certificate again. Others know this host by its key, which stays. */
static bool complete(const struct keys *keys, struct error *err)
{
    EVP_PKEY *key = read_key(keys, err);
    bool ok = key != NULL;

    if (ok && access(keys->certificate, F_OK) < 0 && errno == ENOENT)
        ok = write_certificate(keys, key, err);
    if (ok && !is_certificate_of(keys->certificate, key))
        ok =
            error_set(err, ERROR_REFUSED,
                      "'%s' is not the certificate of '%s': move it away, and run 'xmig keys init' "
                      "again",
                      keys->certificate, keys->key);
    EVP_PKEY_free(key);
    return ok;
}

bool keys_make(const struct keys *keys, bool *made, struct error *err)
{
    AUTO_CLOSE int lock =
        directory_make_all(keys->directory, err) ? whole_file_lock(keys->key, err) : -1;

    *made = false;
    if (lock < 0)
        return false;
    if (access(keys->key, F_OK) == 0)
        return complete(keys, err);
    *made = write_both(keys, err);
    return *made;
}

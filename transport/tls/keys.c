/* A host's own key, and a certificate that it has signed itself. */
#include "transport/tls/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "xmig/cleanup.h"
#include "xmig/directory.h"
#include "xmig/paths.h"
#include "xmig/text.h"

/* ---- where ---- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static char *find_directory(void)
{
    const char *given = environment("XMIG_CONFIG_DIR");
    const char *xdg = environment("XDG_CONFIG_HOME");
    const char *home = environment("HOME");
    const struct passwd *user = home ? NULL : getpwuid(geteuid());

    if (given)
        return formatted("%s/%s", given, "keys");
    if (geteuid() == 0)
        return must(strdup("/etc/xmig/keys"));
    if (xdg)
        return formatted("%s/%s", xdg, "xmig/keys");
    return formatted("%s/%s", home ? home : user ? user->pw_dir : "/", ".config/xmig/keys");
}

void keys_find(struct keys *keys, const char *directory)
{
    char *where = directory ? must(strdup(directory)) : find_directory();

    *keys = (struct keys){
        .directory = where,
        .certificate = formatted("%s/%s", where, "cert.pem"),
        .key = formatted("%s/%s", where, "key.pem"),
        .trusted = formatted("%s/%s", where, "trusted"),
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

/* As others may call this host: its name, and that with the domain. */
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

/* The key counts, and is exchanged by people: its certificate ends later than that. */
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

/* A file that is there already stays. */
static FILE *create(const char *path, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        return must(fdopen(fd, "w"));
    error_set(err, ERROR_SYSTEM, "cannot create '%s': %m", path);
    return NULL;
}

static bool close_well(FILE *file, bool written, const char *path, struct error *err)
{
    bool ok = written && fflush(file) == 0 && fsync(fileno(file)) == 0;

    if (fclose(file) == 0 && ok)
        return true;
    return error_set(err, ERROR_SYSTEM, "cannot write '%s': %m", path);
}

/* The key comes last, and whole: where it is, all is. */
static bool write_both(const struct keys *keys, EVP_PKEY *key, X509 *certificate, struct error *err)
{
    AUTO_FREE char *temporary = formatted("%s.new", keys->key);
    FILE *file;

    (void)unlink(keys->certificate);
    file = create(keys->certificate, err);
    if (!file || !close_well(file, PEM_write_X509(file, certificate), keys->certificate, err))
        return false;
    (void)unlink(temporary);
    file = create(temporary, err);
    return file &&
           close_well(file, PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
                      temporary, err) &&
           path_rename(temporary, keys->key, err);
}

bool keys_make(const struct keys *keys, bool *made, struct error *err)
{
    EVP_PKEY *key;
    X509 *certificate;

    *made = false;
    if (access(keys->key, F_OK) == 0)
        return keys_check(keys, err);
    if (!directory_make_all(keys->directory, err))
        return false;
    key = must(EVP_EC_gen("P-256"));
    certificate = make_certificate(key);
    *made = write_both(keys, key, certificate, err);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return *made;
}

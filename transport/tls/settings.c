/* Reads the address of the receiver, and the keys to use. */
#include "transport/tls/settings.h"

#include <ctype.h>

#include "core/field-rows.h"
#include "xmig/cleanup.h"

enum {
    CONNECT_MS = 20 * 1000
};

#define FIELDS_OF struct tls_options
static const struct field fields[] = {
    TEXT(cacert, OPTIONAL),
    TEXT(cert, OPTIONAL),
    TEXT(key, OPTIONAL),
    TEXT(crlfile, OPTIONAL),
    TEXT(pinnedpubkey, OPTIONAL),
    TEXT(proxy, OPTIONAL),
    TEXT(noproxy, OPTIONAL),
    TEXT(interface, OPTIONAL),
    TEXTS(resolve, OPTIONAL),
    NUMBER(connect_timeout_ms, OPTIONAL, .otherwise = CONNECT_MS, .max = INT32_MAX),
    NUMBER(ip, OPTIONAL, .max = 6),
    TEXT(keys, OPTIONAL, .instead = ""),
    { 0 },
};

/* Split HOST:PORT. An address with colons needs brackets. */
const char *place_split(const char *text, char **host)
{
    const char *bracket = *text == '[' ? strchr(text, ']') : NULL;
    const char *colon = bracket ? bracket + 1 : strrchr(text, ':');
    const char *begin = bracket ? text + 1 : text;

    if (!colon || *colon != ':' || (!bracket && strchr(text, ':') != colon))
        return NULL;
    *host = must(strndup(begin, (size_t)((bracket ? bracket : colon) - begin)));
    return colon + 1;
}

int port_parse(const char *text, const char **rest)
{
    size_t len = strspn(text, "0123456789");
    long port = len > 0 && len < 9 ? atol(text) : -1;

    *rest = text + len;
    return port <= 65535 ? (int)port : -1;
}

/* Is `text` a host's name or address, and nothing that curl would read as another part of a URL? */
static bool is_host(const char *host)
{
    if (!*host || *host == '-')
        return false;
    for (; *host; host++)
        if (!isalnum((unsigned char)*host) && !strchr(".-_:%", *host))
            return false;
    return true;
}

bool tls_place_parse(const char *text, struct tls_place *place, struct error *err)
{
    const char *port, *rest;

    *place = (struct tls_place){ 0 };
    if (strchr(text, '@'))
        return error_set(err, ERROR_REFUSED,
                         "there are no users over TLS: the certificate says who comes");
    port = place_split(text, &place->host);
    if (!port)
        return error_set(err, ERROR_REFUSED,
                         "it is tls://HOST:PORT, or tls://[ADDRESS]:PORT, where 'xmig listen' "
                         "listens");
    place->port = port_parse(port, &rest);
    if (is_host(place->host) && place->port > 0 && (!*rest || !strcmp(rest, "/")))
        return true;
    error_set(err, ERROR_REFUSED, "'%s' is no %s", is_host(place->host) ? port : place->host,
              is_host(place->host) ? "port" : "host");
    tls_place_done(place);
    return false;
}

void tls_place_done(struct tls_place *place)
{
    free(place->host);
    place->host = NULL;
}

/* Find this host's certificate and key. As with curl, the certificate's file may contain the key.
 */
static bool find_own_key(struct tls_settings *settings, struct error *err)
{
    settings->certificate = settings->given.cert;
    settings->key = settings->given.key;
    if (settings->certificate) {
        if (!settings->key)
            settings->key = settings->certificate;
        return true;
    }
    if (settings->key)
        return error_set(err, ERROR_REFUSED, "--key needs the certificate, too: give --cert");
    settings->certificate = settings->keys.certificate;
    settings->key = settings->keys.key;
    return keys_check(&settings->keys, err);
}

/* libcurl says of a file that is not there what it would say of a wrong one. */
static bool check_files(const struct tls_options *given, struct error *err)
{
    const struct {
        const char *option, *path;
    } files[] = { { "--cert", given->cert },
                  { "--key", given->key },
                  { "--cacert", given->cacert },
                  { "--crlfile", given->crlfile },
                  { "--pinnedpubkey", given->pinnedpubkey } };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (files[i].path && strncmp(files[i].path, "sha256//", 8) != 0 &&
            access(files[i].path, R_OK) < 0)
            return error_set(err, ERROR_REFUSED, "cannot read '%s' (%s): %m", files[i].path,
                             files[i].option);
    return true;
}

/* Find who is trusted. If an authority or a key was named, only that one is. */
static bool find_trusted(struct tls_settings *settings, const char *host, struct error *err)
{
    if (settings->given.cacert || settings->given.pinnedpubkey)
        return true;
    if (!trusted_read(&settings->trusted, settings->keys.trusted, err))
        return false;
    trusted_narrow(&settings->trusted, host);
    return true;
}

bool tls_settings_read(struct tls_settings *settings, const cJSON *options, const char *host,
                       struct error *err)
{
    AUTO_JSON cJSON *none = options ? NULL : must(cJSON_CreateObject());

    *settings = (struct tls_settings){ 0 };
    if (!fields_read(fields, options ? options : none, &settings->given, err))
        return error_prefix(err, "tls");
    keys_find(&settings->keys, settings->given.keys);
    return check_files(&settings->given, err) && find_own_key(settings, err) &&
           find_trusted(settings, host, err);
}

void tls_settings_done(struct tls_settings *settings)
{
    keys_done(&settings->keys);
    trusted_done(&settings->trusted);
}

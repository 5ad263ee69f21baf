/* Explains in words why a connection failed: the certificates, the proxy or the network. */
#include "transport/tls/explain-failure.h"

#include <stdio.h>

#include <openssl/pem.h>

#include "transport/tls/verify.h"
#include "xmig/cleanup.h"

/* "HOST:PORT" for a message. */
static const char *name_of(const struct tls_failure *failure, char text[300])
{
    snprintf(text, 300, "%.255s:%d", failure->place->host, failure->place->port);
    return text;
}

static bool says(const struct tls_failure *failure, const char *words)
{
    return strcasestr(failure->text, words) != NULL;
}

/* ---- the receiver's certificate ---- */

/* With --cacert or --pinnedpubkey no key that `xmig keys` trusts counts. */
static bool explain_unsigned(const struct tls_failure *failure, const char *fingerprint,
                             struct error *err)
{
    const char *cacert = failure->settings->given.cacert;
    char name[300];

    name_of(failure, name);
    if (cacert)
        return error_set(err, ERROR_REFUSED,
                         "no authority in '%s' (--cacert) vouches for the certificate of %s, "
                         "whose key is %s: give the one that has signed it, or leave --cacert out, "
                         "so that 'xmig keys trust' counts",
                         cacert, name, fingerprint);
    return error_set(err, ERROR_REFUSED,
                     "no authority of this host's vouches for the certificate of %s, whose key is "
                     "%s: --pinnedpubkey is looked at besides; give the authority by --cacert, or "
                     "leave --pinnedpubkey out, so that 'xmig keys trust' counts",
                     name, fingerprint);
}

/* A key of that name is trusted, and this is another one. */
static bool is_another_key(const struct tls_failure *failure)
{
    const struct trusted *trusted = &failure->settings->trusted;

    return trusted->count > 0 && !strcasecmp(trusted->keys[0].name, failure->place->host);
}

static bool explain_untrusted(const struct tls_failure *failure, struct error *err)
{
    const struct tls_settings *settings = failure->settings;
    char name[300], fingerprint[FINGERPRINT_TEXT];

    fingerprint_print(failure->seen, fingerprint);
    if (settings->given.cacert || settings->given.pinnedpubkey)
        return explain_unsigned(failure, fingerprint, err);
    if (is_another_key(failure))
        return error_set(err, ERROR_REFUSED,
                         "the key of %s is not the one that is trusted here under that name, but "
                         "%s: somebody is in between, or that host has a new key. If 'xmig keys "
                         "show' prints it there, run 'xmig keys trust %s %s' here, and remove the "
                         "old line from '%s'",
                         name_of(failure, name), fingerprint, fingerprint, failure->place->host,
                         settings->keys.trusted);
    return error_set(err, ERROR_REFUSED,
                     "nothing here vouches for the certificate of %s: if 'xmig keys show' prints "
                     "%s there, run 'xmig keys trust %s %s' here; or give the authority that has "
                     "signed it: --cacert",
                     name_of(failure, name), fingerprint, fingerprint, failure->place->host);
}

static bool explain_certificate(const struct tls_failure *failure, struct error *err)
{
    const char *reason = verify_reason(failure->verified);
    char name[300];

    name_of(failure, name);
    switch (failure->verified) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return error_set(err, ERROR_REFUSED,
                         "the certificate of %s has expired: it must be renewed there (or this "
                         "host's clock is wrong)",
                         name);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return error_set(err, ERROR_REFUSED,
                         "the certificate of %s is not valid yet: compare the clocks of both hosts",
                         name);
    case X509_V_ERR_CERT_REVOKED:
        return error_set(err, ERROR_REFUSED,
                         "the certificate of %s has been revoked: that host needs a new one", name);
    default:
        if (verify_found_stranger(failure->verified))
            return explain_untrusted(failure, err);
        return error_set(err, ERROR_REFUSED, "the certificate of %s %s", name,
                         reason ? reason : X509_verify_cert_error_string(failure->verified));
    }
}

static bool explain_peer(const struct tls_failure *failure, struct error *err)
{
    char name[300];

    if (!says(failure, "subject name"))
        return explain_certificate(failure, err);
    return error_set(err, ERROR_REFUSED,
                     "the certificate of %s is another host's (%s): call the host as its "
                     "certificate does, if need be with --resolve",
                     name_of(failure, name), failure->text);
}

static bool explain_pin(const struct tls_failure *failure, struct error *err)
{
    char name[300], fingerprint[FINGERPRINT_TEXT];

    fingerprint_print(failure->seen, fingerprint);
    return error_set(err, ERROR_REFUSED,
                     "the key of %s is not the one that --pinnedpubkey names, but %s: somebody is "
                     "in between, or that host has a new key; compare 'xmig keys show' there",
                     name_of(failure, name), fingerprint);
}

/* ---- our own certificate, as the receiver's alert has it ---- */

static bool explain_own_trust(const struct tls_failure *failure, struct error *err)
{
    struct fingerprint own;
    char name[300], fingerprint[FINGERPRINT_TEXT] = "FINGERPRINT";

    if (fingerprint_of_file(failure->settings->certificate, &own, NULL))
        fingerprint_print(&own, fingerprint);
    return error_set(err, ERROR_REFUSED,
                     "%s does not trust this host's key: run 'xmig keys trust %s' there, or have "
                     "'%s' signed by an authority that its listener knows",
                     name_of(failure, name), fingerprint, failure->settings->certificate);
}

/* Explain an alert by the text that OpenSSL has for it. False: the text is not about an alert. */
static bool explain_alert(const struct tls_failure *failure, struct error *err)
{
    static const struct {
        const char *alert, *reason;
    } alerts[] = {
        { "alert certificate expired", "has expired: renew it (or the clock there is wrong)" },
        { "alert certificate revoked", "has been revoked: this host needs a new one" },
        { "alert bad certificate",
          "is not valid for it: perhaps not yet, so compare the clocks; the log of 'xmig listen' "
          "there has the reason" },
        { "alert unsupported certificate", "is made for another purpose: it must permit "
                                           "'clientAuth'" },
        { "alert certificate required", "is needed, and it got none: give --cert" },
    };
    char name[300];

    name_of(failure, name);
    if (says(failure, "alert unknown ca"))
        return explain_own_trust(failure, err), true;
    for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
        if (says(failure, alerts[i].alert)) {
            error_set(err, ERROR_REFUSED, "%s refuses: this host's certificate '%s' %s", name,
                      failure->settings->certificate, alerts[i].reason);
            return true;
        }
    return false;
}

/* ---- the handshake ---- */

static bool explain_handshake(const struct tls_failure *failure, struct error *err)
{
    char name[300];

    name_of(failure, name);
    if (explain_alert(failure, err))
        return false;
    if (says(failure, "alert protocol version") || says(failure, "unsupported protocol"))
        return error_set(err, ERROR_REFUSED,
                         "%s does not speak TLS 1.3, which xmig needs: what listens there is not "
                         "'xmig listen', or too old",
                         name);
    if (says(failure, "wrong version number") || says(failure, "packet length") ||
        says(failure, "http request") || says(failure, "bad record type"))
        return error_set(err, ERROR_REFUSED,
                         "%s does not speak TLS: is that the port of 'xmig listen'?", name);
    /* X509_V_ERR_UNSPECIFIED: the handshake did not come as far as a certificate */
    if (failure->verified != X509_V_OK && failure->verified != X509_V_ERR_UNSPECIFIED)
        return explain_certificate(failure, err);
    return error_set(err, ERROR_LOST,
                     "the TLS handshake with %s failed (%s): its listener may be too busy, and its "
                     "log has the reason",
                     name, failure->text);
}

/* ---- the network ---- */

/* The proxy's host and port, without the user and password that may stand before them. */
static const char *proxy_of(const struct tls_failure *failure)
{
    const char *given = failure->settings->given.proxy;
    const char *proxy = given ? given : "";
    const char *at = strrchr(proxy, '@');
    const char *scheme = strstr(proxy, "://");

    return at ? at + 1 : scheme ? scheme + 3 : proxy;
}

/* A proxy says no more of a wrong password than that it wants one. */
static bool explain_password(const struct tls_failure *failure, struct error *err)
{
    const char *given = failure->settings->given.proxy;

    if (given && strchr(given, '@'))
        return error_set(err, ERROR_REFUSED,
                         "the proxy '%s' does not take the user and the password that --proxy, or "
                         "the environment, has for it: compare them",
                         proxy_of(failure));
    return error_set(err, ERROR_REFUSED,
                     "the proxy '%s' wants a user and a password: in --proxy put "
                     "'USER:PASSWORD@' before the proxy's name",
                     proxy_of(failure));
}

static bool explain_proxy(const struct tls_failure *failure, struct error *err)
{
    static const char *const words_of_a_password[] = { "407", "rejected by the SOCKS5 server",
                                                       "No authentication method" };
    size_t length = strlen(failure->text);
    char name[300];

    for (size_t i = 0; i < sizeof(words_of_a_password) / sizeof(words_of_a_password[0]); i++)
        if (says(failure, words_of_a_password[i]))
            return explain_password(failure, err);
    length -= length > 0 && failure->text[length - 1] == '.';
    return error_set(err, ERROR_REFUSED,
                     "the proxy '%s' does not lead to %s: %.*s; let the proxy permit that port, or "
                     "leave it out by --noproxy '*'",
                     proxy_of(failure), name_of(failure, name), (int)length, failure->text);
}

/* An alert about our own certificate comes after the connection has been made. */
static bool explain_break(const struct tls_failure *failure, struct error *err)
{
    char name[300];

    if (explain_alert(failure, err))
        return false;
    return error_set(err, ERROR_LOST, "the connection to %s broke: %s", name_of(failure, name),
                     failure->text);
}

static bool explain_network(const struct tls_failure *failure, struct error *err)
{
    char name[300];

    name_of(failure, name);
    if (*proxy_of(failure))
        return error_set(err, ERROR_LOST, "cannot reach %s through the proxy '%s': %s%s", name,
                         proxy_of(failure), failure->text,
                         failure->settings->given.ip == 4   ? " (--ipv4 is for the proxy, too)"
                         : failure->settings->given.ip == 6 ? " (--ipv6 is for the proxy, too)"
                                                            : "");
    if (failure->os_error)
        return error_set(err, ERROR_LOST,
                         "cannot connect to %s: %s; 'xmig listen' must run there, and a firewall "
                         "let it be reached",
                         name, strerror((int)failure->os_error));
    return error_set(err, ERROR_LOST,
                     "cannot connect to %s: %s; 'xmig listen' must run there, and a firewall let "
                     "it be reached",
                     name, failure->text);
}

/* Explain a file that cannot be used; the option `what` has named it. */
static bool explain_file(const struct tls_failure *failure, const char *what, const char *path,
                         struct error *err)
{
    return error_set(err, ERROR_REFUSED, "cannot use '%s' (%s): %s", path ? path : "?", what,
                     failure->text);
}

bool explain_failure(const struct tls_failure *failure, struct error *err)
{
    const struct tls_options *given = &failure->settings->given;

    switch (failure->code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return explain_peer(failure, err);
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return explain_pin(failure, err);
    case CURLE_SSL_CERTPROBLEM:
        return explain_file(failure, "--cert", failure->settings->certificate, err);
    case CURLE_SSL_CACERT_BADFILE:
        return explain_file(failure, "--cacert", given->cacert, err);
    case CURLE_SSL_CRL_BADFILE:
        return explain_file(failure, "--crlfile", given->crlfile, err);
    case CURLE_INTERFACE_FAILED:
        return explain_file(failure, "--interface", given->interface, err);
    case CURLE_SSL_CONNECT_ERROR:
        return explain_handshake(failure, err);
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_set(err, ERROR_LOST, "no %saddress of '%s' is known",
                         given->ip == 4   ? "IPv4 "
                         : given->ip == 6 ? "IPv6 "
                                          : "",
                         failure->place->host);
    case CURLE_PROXY:
        return explain_proxy(failure, err);
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        if (says(failure, "CONNECT tunnel"))
            return explain_proxy(failure, err);
        if (!failure->connected && *proxy_of(failure))
            return explain_network(failure, err);
        return explain_break(failure, err);
    default:
        return explain_network(failure, err);
    }
}

/* The options by which a peer is reached over TLS: curl's, under curl's names. */
#ifndef XMIG_CMD_OPTION_TLS_H
#define XMIG_CMD_OPTION_TLS_H

#include "xmig/json.h"

/* For a table of getopt_long()'s. */
#define TLS_OPTION_WORDS                                                                           \
    { "cacert", required_argument, NULL, OPTION_CACERT },                                          \
        { "cert", required_argument, NULL, 'E' }, { "key", required_argument, NULL, OPTION_KEY },  \
        { "crlfile", required_argument, NULL, OPTION_CRLFILE },                                    \
        { "pinnedpubkey", required_argument, NULL, OPTION_PINNEDPUBKEY },                          \
        { "proxy", required_argument, NULL, 'x' },                                                 \
        { "noproxy", required_argument, NULL, OPTION_NOPROXY },                                    \
        { "resolve", required_argument, NULL, OPTION_RESOLVE },                                    \
        { "interface", required_argument, NULL, OPTION_INTERFACE },                                \
        { "ipv4", no_argument, NULL, '4' }, { "ipv6", no_argument, NULL, '6' },                    \
    {                                                                                              \
        "connect-timeout", required_argument, NULL, OPTION_CONNECT_TIMEOUT                         \
    }

/* For the lines of a help text that explain them. */
#define TLS_OPTION_HELP                                                                            \
    "      --cacert FILE         authorities that may vouch for the target's certificate\n"        \
    "  -E, --cert FILE           this host's certificate, with those between it and its\n"         \
    "                            authority; without it: the one of 'xmig keys init'\n"             \
    "      --key FILE            its key, if that is not in the same file\n"                       \
    "      --crlfile FILE        certificates that authorities have revoked\n"                     \
    "      --pinnedpubkey KEY    the target's key: sha256//..., or a file with it\n"               \
    "  -x, --proxy URL           go through this proxy: http://, socks5:// and socks5h://\n"       \
    "      --noproxy HOSTS       but not to these\n"                                               \
    "      --resolve HOST:PORT:ADDRESS\n"                                                          \
    "                            the address of HOST\n"                                            \
    "      --interface NAME      come from this interface, or address\n"                           \
    "  -4, --ipv4; -6, --ipv6    only addresses of this kind\n"                                    \
    "      --connect-timeout S   give up after S seconds (default 20)\n"

/* Is it one of them? */
bool option_is_tls(int option);

/* Remember it in `*given`, which is made when it is NULL, and the caller's to free. */
bool take_tls(cJSON **given, int option, const char *value, struct error *err);

/**
 * What the transport to `dest` is told (transport_options.tls): the caller frees `*way`, which is
 * NULL where the way is another.
 *
 * @param given  by take_tls(); NULL: none was
 * @param rsh    --rsh, or NULL
 */
bool tls_way(const char *dest, const cJSON *given, const char *rsh, cJSON **way, struct error *err);

/* The same for a way that a journal has remembered, and that some options change. */
bool tls_way_again(const char *dest, const cJSON *given, const cJSON *remembered, cJSON **way,
                   struct error *err);

#endif

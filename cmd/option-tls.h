/* The options of a connection over TLS. They have the names and meanings of curl's options. */
#ifndef XMIG_CMD_OPTION_TLS_H
#define XMIG_CMD_OPTION_TLS_H

#include "option-syntax.h"

/* Each adds its option to the member, a `cJSON *`: an object that is made when the member is NULL,
 * and that the caller frees.
 */
option_taker take_tls_file, take_tls_text, take_tls_proxy, take_tls_resolve, take_tls_ip,
    take_tls_timeout;

/* Rows for the option table of a command whose options have a member `tls`. */
#define TLS_OPTION_ROWS                                                                            \
    VALUE_OPTION("cacert", 0, tls, take_tls_file), VALUE_OPTION("cert", 'E', tls, take_tls_file),  \
        VALUE_OPTION("key", 0, tls, take_tls_file),                                                \
        VALUE_OPTION("crlfile", 0, tls, take_tls_file),                                            \
        VALUE_OPTION("pinnedpubkey", 0, tls, take_tls_file),                                       \
        VALUE_OPTION("proxy", 'x', tls, take_tls_proxy),                                           \
        VALUE_OPTION("noproxy", 0, tls, take_tls_text),                                            \
        VALUE_OPTION("interface", 0, tls, take_tls_text),                                          \
        VALUE_OPTION("resolve", 0, tls, take_tls_resolve),                                         \
        VALUE_OPTION("connect-timeout", 0, tls, take_tls_timeout),                                 \
        { "ipv4", '4', false, offsetof(OPTIONS_OF, tls), take_tls_ip },                            \
    {                                                                                              \
        "ipv6", '6', false, offsetof(OPTIONS_OF, tls), take_tls_ip                                 \
    }

/* The lines of a help text that explain these options. */
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

/**
 * What the transport to `dest` is told (transport_options.tls): the caller frees `*way`, which is
 * NULL where the way is another.
 *
 * @param given  the `tls` of these; NULL: none was
 * @param rsh    --rsh, or NULL
 */
bool tls_way(const char *dest, const cJSON *given, const char *rsh, cJSON **way, struct error *err);

/* The same for `xmig recover`: `remembered` are the options that the journal has, and `given`
 * changes some of them.
 */
bool tls_way_again(const char *dest, const cJSON *given, const cJSON *remembered, cJSON **way,
                   struct error *err);

#endif

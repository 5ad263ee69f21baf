/* curl's options, in a form that the journal can keep. `xmig recover` may run in another directory
 * and with another environment, so paths become absolute, and proxies of the environment are
 * written down.
 */
#include "option-tls.h"

#include <stdio.h>

#include "directories.h"
#include "transport/tls/settings.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

static void set(cJSON *json, const char *name, cJSON *item)
{
    cJSON_DeleteItemFromObjectCaseSensitive(json, name);
    cJSON_AddItemToObject(json, name, must(item));
}

static void set_path(cJSON *json, const char *name, const char *path)
{
    AUTO_FREE char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    AUTO_FREE char *whole = here ? formatted("%s/%s", here, path) : NULL;

    set(json, name, cJSON_CreateString(whole ? whole : path));
}

static bool check_proxy(const char *proxy, struct error *err)
{
    if (strncasecmp(proxy, "https://", 8))
        return true;
    return error_set(err, ERROR_REFUSED,
                     "--proxy: TLS to the proxy itself is not supported; http://, socks5:// and "
                     "socks5h:// are");
}

static cJSON *settings_in(void *member)
{
    cJSON **settings = member;

    return *settings ? *settings : (*settings = must(cJSON_CreateObject()));
}

bool take_tls_text(void *member, const struct option_row *row, const char *value, struct error *err)
{
    (void)err;
    set(settings_in(member), row->name, cJSON_CreateString(value));
    return true;
}

/* --pinnedpubkey may be a key itself. */
bool take_tls_file(void *member, const struct option_row *row, const char *value, struct error *err)
{
    if (!strncmp(value, "sha256//", 8))
        return take_tls_text(member, row, value, err);
    set_path(settings_in(member), row->name, value);
    return true;
}

bool take_tls_proxy(void *member, const struct option_row *row, const char *value,
                    struct error *err)
{
    return take_tls_text(member, row, value, err) && check_proxy(value, err);
}

bool take_tls_resolve(void *member, const struct option_row *row, const char *value,
                      struct error *err)
{
    cJSON *json = settings_in(member);
    cJSON *list = cJSON_GetObjectItemCaseSensitive(json, row->name);

    (void)err;
    if (!list)
        list = cJSON_AddArrayToObject(json, row->name);
    cJSON_AddItemToArray(list, must(cJSON_CreateString(value)));
    return true;
}

bool take_tls_ip(void *member, const struct option_row *row, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    set(settings_in(member), "ip", cJSON_CreateNumber(row->letter - '0'));
    return true;
}

/* Seconds, as curl has them: "2", "0.5". */
bool take_tls_timeout(void *member, const struct option_row *row, const char *value,
                      struct error *err)
{
    char *end = NULL;
    double seconds = strtod(value, &end);

    if (end == value || *end || !(seconds >= 0.001 && seconds <= 3600))
        return error_set(err, ERROR_REFUSED, "--%s '%s' is not a number of seconds, up to 3600",
                         row->name, value);
    set(settings_in(member), "connect_timeout_ms",
        cJSON_CreateNumber((double)(uint64_t)(seconds * 1000)));
    return true;
}

static bool is_tls(const char *dest)
{
    return !strncmp(dest, "tls:", 4);
}

static bool check_dest(const char *dest, const cJSON *given, const char *rsh, struct error *err)
{
    if (is_tls(dest))
        return !rsh || error_set(err, ERROR_REFUSED,
                                 "--rsh is for ssh: 'xmig listen' answers at '%s'", dest);
    return !given || error_set(err, ERROR_REFUSED,
                               "the options for TLS are for destinations tls://HOST:PORT, not for "
                               "'%s'",
                               dest);
}

/* Write down the proxy that libcurl would find in the environment: a later `xmig recover` may have
 * another one.
 */
static bool add_environment(cJSON *json, const char *name, const char *const variables[],
                            struct error *err)
{
    const char *value = "";

    if (cJSON_GetObjectItemCaseSensitive(json, name))
        return true;
    for (size_t i = 0; variables[i] && !*value; i++)
        value = getenv(variables[i]) ? getenv(variables[i]) : "";
    set(json, name, cJSON_CreateString(value));
    return check_proxy(value, err);
}

bool tls_way(const char *dest, const cJSON *given, const char *rsh, cJSON **way, struct error *err)
{
    static const char *const proxies[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                           NULL };
    static const char *const exceptions[] = { "no_proxy", "NO_PROXY", NULL };
    AUTO_JSON cJSON *json = NULL;
    struct keys keys;

    *way = NULL;
    if (!check_dest(dest, given, rsh, err))
        return false;
    if (!is_tls(dest))
        return true;
    json = must(given ? cJSON_Duplicate(given, true) : cJSON_CreateObject());
    directories_find_keys(&keys);
    set_path(json, "keys", keys.directory);
    keys_done(&keys);
    if (!add_environment(json, "proxy", proxies, err) ||
        !add_environment(json, "noproxy", exceptions, err))
        return false;
    *way = steal(json);
    return true;
}

bool tls_way_again(const char *dest, const cJSON *given, const cJSON *remembered, cJSON **way,
                   struct error *err)
{
    const cJSON *item;

    *way = NULL;
    if (!check_dest(dest, given, NULL, err))
        return false;
    if (!is_tls(dest))
        return true;
    *way = must(remembered ? cJSON_Duplicate(remembered, true) : cJSON_CreateObject());
    cJSON_ArrayForEach (item, given)
        set(*way, item->string, cJSON_Duplicate(item, true));
    return true;
}

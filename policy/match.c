/* Compares words of a policy with what a VM needs. In doubt they do not match. */
#include "policy/match.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>

#include "xmig/cleanup.h"
#include "xmig/paths.h"
#include "xmig/text.h"

static const char *text_of(const cJSON *word)
{
    return word->valuestring;
}

static bool fits(const cJSON *words, const char *text, int flags)
{
    const cJSON *word;

    cJSON_ArrayForEach (word, words)
        if (fnmatch(text_of(word), text, flags) == 0)
            return true;
    return false;
}

bool match_name(const struct setting *setting, const struct need *need)
{
    return fits(setting->words, need->what, 0);
}

/* ---- paths ---- */

/* Is `path` free of ".."? The kernel applies ".." after it has followed a link, and a comparison of
 * texts cannot.
 */
static bool is_plain(const char *path)
{
    size_t len = strlen(path);

    return *path == '/' && !strstr(path, "/../") && (len < 3 || strcmp(path + len - 3, "/..") != 0);
}

bool match_path(const struct setting *setting, const struct need *need)
{
    return is_plain(need->what) && fits(setting->words, need->what, FNM_PATHNAME);
}

/* `path` with links followed as far as it exists; the rest is unchanged. NULL for a link whose
 * target is missing: writing there would create the target. The caller frees the result.
 */
static char *resolved(const char *path)
{
    AUTO_FREE char *known = path_absolute("/", path);
    AUTO_FREE char *whole = must(strdup(known));

    for (;;) {
        AUTO_FREE char *real = realpath(known, NULL);
        const char *rest = whole + (known[1] ? strlen(known) : 0);
        char *slash = strrchr(known, '/');
        struct stat st;

        if (real)
            return formatted("%s%s", real[1] || !*rest ? real : "", rest);
        if (lstat(known, &st) == 0)
            return NULL;
        slash[slash == known] = '\0';
    }
}

static bool is_below(const char *path, const char *directory)
{
    AUTO_FREE char *real = resolved(directory);
    size_t len = real ? strlen(real) : 0;

    if (!path || !real)
        return false;
    if (len == 1)
        return true;
    return !strncmp(path, real, len) && path[len] == '/';
}

bool match_below(const struct setting *setting, const struct need *need)
{
    AUTO_FREE char *path = resolved(need->what);
    const cJSON *word;

    if (is_plain(need->what))
        cJSON_ArrayForEach (word, setting->words)
            if (is_below(path, text_of(word)))
                return true;
    return false;
}

bool match_readable(const struct setting *setting, const struct need *need)
{
    static const char *const folders[] = { "/usr/share", "/usr/lib", "/usr/libexec",
                                           "/usr/local/share", NULL };
    static const char *const devices[] = { "/dev/kvm",     "/dev/vhost-net", "/dev/random",
                                           "/dev/urandom", "/dev/null",      NULL };
    AUTO_FREE char *path = resolved(need->what);

    for (const char *const *device = devices; *device; device++)
        if (!strcmp(need->what, *device))
            return true;
    for (const char *const *folder = folders; is_plain(need->what) && *folder; folder++)
        if (is_below(path, *folder))
            return true;
    return match_below(setting, need);
}

/* ---- volumes ---- */

/* Translate a name of the device mapper, "VG-LV", into "VG/LV"; "--" in it means a dash. NULL: the
 * name is not that of a volume. The caller frees the result.
 */
static char *unmapped(const char *name)
{
    AUTO_FREE char *volume = must(strdup(name));
    char *out = volume;
    int parts = 1;

    for (; *name; name++) {
        bool doubled = name[0] == '-' && name[1] == '-';

        parts += *name == '-' && !doubled;
        *out++ = *name == '-' && !doubled ? '/' : *name;
        name += doubled;
    }
    *out = '\0';
    return parts == 2 ? steal(volume) : NULL;
}

/* The volume that `path` leads to, as "VG/LV"; NULL: `path` is not a volume. The caller frees the
 * result.
 */
static char *volume_of(const char *path)
{
    const char *name = path + strlen("/dev/");
    const char *slash;

    if (strncmp(path, "/dev/", 5) != 0 || !is_plain(path))
        return NULL;
    slash = strchr(name, '/');
    if (!slash || !slash[1] || strchr(slash + 1, '/'))
        return NULL;
    return strncmp(name, "mapper/", 7) ? must(strdup(name)) : unmapped(slash + 1);
}

bool match_group(const struct setting *setting, const struct need *need)
{
    AUTO_FREE char *volume = volume_of(need->what);
    AUTO_FREE char *group = volume ? must(strndup(volume, strcspn(volume, "/"))) : NULL;

    return match_path(setting, need) || (group && fits(setting->words, group, 0));
}

bool match_volume(const struct setting *setting, const struct need *need)
{
    AUTO_FREE char *volume = volume_of(need->what);

    return match_path(setting, need) || (volume && fits(setting->words, volume, FNM_PATHNAME));
}

/* ---- networks ---- */

bool match_network(const struct setting *setting, const struct need *need)
{
    return need->kind == NEED_SCRIPT ? match_path(setting, need) : match_name(setting, need);
}

/* ---- listeners, connections ---- */

enum {
    PORT_MAX = 65535
};

struct listener {
    char host[64]; /* "*" means all addresses */
    unsigned long from, to;
};

/* Write an address in one way, so that equal addresses are equal texts. */
static void take_host(char host[64], const char *text, size_t len)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    snprintf(host, 64, "%.*s", (int)(len < 64 ? len : 63), text);
    if (!strcmp(host, "localhost"))
        strcpy(host, "127.0.0.1");
    if (inet_pton(AF_INET6, host, bytes) == 1)
        inet_ntop(AF_INET6, bytes, host, 64);
    if (!*host || !strcmp(host, "0.0.0.0") || !strcmp(host, "::"))
        strcpy(host, "*");
}

static bool take_port(const char **text, unsigned long *port)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    *port = strtoul(*text, &end, 10);
    *text = end;
    return *port > 0 && *port <= PORT_MAX;
}

/* "PORT" or "FROM-TO" */
static bool take_ports(struct listener *listener, const char *text)
{
    if (!take_port(&text, &listener->from))
        return false;
    listener->to = listener->from;
    if (*text == '-') {
        text++;
        if (!take_port(&text, &listener->to))
            return false;
    }
    return !*text && listener->from <= listener->to;
}

/* "ADDRESS", "ADDRESS:PORT", "[::1]:FROM-TO", "*:PORT" */
static bool take_listener(struct listener *listener, const char *word)
{
    bool bracketed = *word == '[';
    const char *host = word + bracketed;
    const char *colon = bracketed ? strstr(word, "]:") : strchr(word, ':');
    const char *end = bracketed ? strchr(word, ']') : colon;
    size_t len = end ? (size_t)(end - host) : strlen(host);

    *listener = (struct listener){ .from = 1, .to = PORT_MAX };
    if (len == 0 || (bracketed && (!end || (end[1] && !colon))))
        return false;
    take_host(listener->host, host, len);
    return !colon || take_ports(listener, colon + (bracketed ? 2 : 1));
}

bool match_is_address(const char *word)
{
    struct listener listener;

    return take_listener(&listener, word);
}

bool match_address(const struct setting *setting, const struct need *need)
{
    struct listener wanted = { 0 }, may;
    const cJSON *word;

    take_host(wanted.host, need->what, strlen(need->what));
    cJSON_ArrayForEach (word, setting->words) {
        if (!take_listener(&may, text_of(word)) || need->amount < may.from || need->most > may.to)
            continue;
        if (!strcmp(may.host, "*") || !strcmp(may.host, wanted.host))
            return true;
    }
    return false;
}

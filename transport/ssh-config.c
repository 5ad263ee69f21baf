/* What ssh's configuration for a destination says, and what xmig makes of it. */
#include "transport/ssh-config.h"

#include <stdio.h>

#include "xmig/cleanup.h"

char *ssh_config_value(const char *config, const char *key)
{
    size_t len = strlen(key);
    const char *line = config;

    while (line && (strncmp(line, key, len) != 0 || line[len] != ' ')) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (!line)
        return NULL;
    line += len + 1;
    return must(strndup(line, strcspn(line, "\r\n")));
}

bool ssh_config_differs(const char *config, const char *key, const char *value)
{
    AUTO_FREE char *has = config ? ssh_config_value(config, key) : NULL;

    return has && strcmp(has, value) != 0;
}

bool ssh_check_user(const char *dest, struct error *err)
{
    const char *at = strrchr(dest, '@');
    int len = at ? (int)(at - dest) : 0;

    if (!at || (!memchr(dest, '\\', (size_t)len) && !memchr(dest, '$', (size_t)len)))
        return true;
    return error_set(
        err, ERROR_REFUSED,
        "the ssh of this host takes no user name with '\\' or '$', as in '%.*s', from "
        "a command line: write the lines 'Host %s' and 'User %.*s' into ~/.ssh/config, "
        "and say '%s' without the user",
        len, dest, at + 1, len, dest, at + 1);
}

static bool list_has(const char *list, const char *name, size_t len)
{
    while (*list) {
        size_t item = strcspn(list, ",");

        if (item == len && !strncmp(list, name, len))
            return true;
        list += item + (list[item] == ',');
    }
    return false;
}

/* Append the items of `from` that are not in `unless` but in `only` (NULL: anything). */
static void list_append(FILE *out, const char *from, const char *only, const char *unless)
{
    while (*from) {
        size_t item = strcspn(from, ",");

        if ((!only || list_has(only, from, item)) && !list_has(unless, from, item))
            fprintf(out, "%s%.*s", ftell(out) > 0 ? "," : "", (int)item, from);
        from += item + (from[item] == ',');
    }
}

/* The built-in ones stay, behind ours: a server may know no others. */
char *ssh_choose_ciphers(const char *resolved, const char *built_in, bool has_aes)
{
    static const char fast[] = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,"
                               "chacha20-poly1305@openssh.com";
    AUTO_FREE char *users = ssh_config_value(resolved, "ciphers");
    AUTO_FREE char *known = ssh_config_value(built_in, "ciphers");
    char *list = NULL;
    size_t size;
    FILE *out;

    if (!has_aes || !users || !known || strcmp(users, known))
        return NULL;
    out = must(open_memstream(&list, &size));
    list_append(out, fast, known, "");
    list_append(out, known, NULL, fast);
    if (fclose(out))
        abort();
    return list;
}

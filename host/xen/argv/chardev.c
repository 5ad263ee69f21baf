/* A device model's options for character devices. */

#include "host/xen/argv/rewriters.h"
#include "xmig/text.h"

/* "/var/run/xen/qmp-libxl-5" → the same with another number. */
static bool number_monitor(struct keyvals *kv)
{
    static const char *const names[] = { "qmp-libxl-", "qmp-libxenstat-" };
    const char *path = keyvals_get(kv, "path");
    const char *slash = path ? strrchr(path, '/') : NULL;

    for (size_t i = 0; slash && i < sizeof(names) / sizeof(names[0]); i++) {
        AUTO_FREE char *numbered = NULL;

        if (strncmp(slash + 1, names[i], strlen(names[i])) != 0)
            continue;
        numbered = formatted("/var/run/xen/%s" XEN_ARGV_DOMID, names[i]);
        keyvals_set(kv, "path", numbered);
        return true;
    }
    return false;
}

/* Rename a file with the VM; a value that does not begin with "/" is not a file. */
static void go_with_name(struct rewriting *r, struct keyvals *kv, const char *key)
{
    const char *path = keyvals_get(kv, key);

    if (path && *path == '/')
        rewriting_path_key(r, kv, key, rewriting_write);
}

bool xen_rewrite_chardev(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    if (keyvals_get(kv, "fd"))
        return rewriting_refuse(r, r->value, err);
    if (!number_monitor(kv))
        go_with_name(r, kv, "path");
    go_with_name(r, kv, "logfile");
    return true;
}

/* "file:/path", "unix:/path,server=on", or a name. */
bool xen_rewrite_serial(struct rewriting *r, const char *value, struct error *err)
{
    static const char *const kinds[] = { "file:", "unix:", "pipe:", NULL };
    size_t scheme = strcspn(value, ":") + 1;
    size_t end = strcspn(value, ",");
    AUTO_FREE char *said = NULL;
    AUTO_FREE char *path = NULL;
    AUTO_FREE char *word = NULL;

    if (*value == '/')
        return rewriting_refuse(r, value, err);
    if (!word_begins_among(value, kinds))
        return rewriting_keep(r, value, err);
    said = must(strndup(value + scheme, end - scheme));
    path = rewriting_write(r, said);
    word = formatted("%.*s%s%s", (int)scheme, value, path, value + end);
    return rewriting_keep(r, word, err);
}

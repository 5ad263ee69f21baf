/* A device model's options for character devices. */

#include "host/xen/argv/rewriters.h"
#include "xmig/text.h"

/* "/var/run/xen/qmp-libxl-5" → the same with another number. */
static bool number_monitor(struct rewriting *r, struct keyvals *kv)
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
        rewriting_list(r->result->sockets, numbered);
        return true;
    }
    return false;
}

bool xen_rewrite_chardev(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    if (keyvals_get(kv, "fd"))
        return rewriting_refuse(r, r->value, err);
    return number_monitor(r, kv) || rewriting_chardev(r, kv, err);
}

/* "file:/path", "unix:/path,server=on", or a name. */
bool xen_rewrite_serial(struct rewriting *r, const char *value, struct error *err)
{
    return (*value == '/' ? rewriting_refuse : rewriting_character_device)(r, value, err);
}

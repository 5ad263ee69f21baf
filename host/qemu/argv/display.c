/* Options that say where the guest's screen is shown. */

#include "host/qemu/argv/rewriters.h"
#include "xmig/text.h"

/* There is no screen at the target; the guest does not notice. */
bool rewrite_window(struct rewriting *r, const char *value, struct error *err)
{
    struct qemu_rewriting *q = qemu_of(r);

    (void)value;
    (void)err;
    q->has_display = true;
    if (!q->closed_window) {
        rewriting_emit(r, "display", "none");
        rewriting_note(r, "no window: the target shows no display of its own");
    }
    q->closed_window = true;
    return true;
}

bool rewrite_display(struct rewriting *r, const char *value, struct error *err)
{
    static const char *const windows[] = { "gtk",       "sdl",     "cocoa", "curses",
                                           "spice-app", "default", NULL };
    AUTO_FREE char *kind = must(strndup(value, strcspn(value, ",")));
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (word_is_among(kind, windows))
        return rewrite_window(r, value, err);
    if (!strncmp(value, "vnc=", 4))
        return rewriting_option(r, "vnc", value + 4, err);
    if (!keyvals_parse(value, &kv, err))
        return false;
    rewriting_other_paths(r, &kv); /* rendernode= */
    return rewrite_nographic(r, value, err);
}

bool rewrite_nographic(struct rewriting *r, const char *value, struct error *err)
{
    qemu_of(r)->has_display = true;
    return rewriting_keep(r, value, err);
}

/* With a new name both copies may be on one host, where the old one still has the display. */
static void let_vnc_move_up(struct rewriting *r, struct keyvals *kv, const char *where)
{
    if (!r->new_name || !strcmp(where, "none") || keyvals_get(kv, "to"))
        return;
    keyvals_set(kv, "to", "99");
    rewriting_note(r, "VNC is at '%s', or at the next display that is free", where);
}

bool rewrite_vnc(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    const char *where = keyvals_get_implied(kv, "vnc");

    (void)err;
    if (where && !strncmp(where, "unix:", 5)) {
        AUTO_FREE char *path = rewriting_listen(r, where + 5);
        AUTO_FREE char *target = NULL;

        target = formatted("unix:%s", path);
        keyvals_set_implied(kv, "vnc", target);
    } else if (where) {
        let_vnc_move_up(r, kv, where);
        rewriting_vnc_port(r, kv, where);
    }
    rewriting_other_paths(r, kv);
    qemu_of(r)->has_display = true;
    return true;
}

bool rewrite_spice(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    static const char *const files[] = { "x509-dir",         "x509-key-file",    "x509-cert-file",
                                         "x509-cacert-file", "x509-dh-key-file", "rendernode" };
    const char *address = keyvals_get(kv, "addr");

    (void)err;
    if (keyvals_flag(kv, "unix") && address) {
        rewriting_path_key(r, kv, "addr", rewriting_listen);
    } else {
        rewriting_spice_port(r, kv, "port");
        rewriting_spice_port(r, kv, "tls-port");
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        rewriting_path_key(r, kv, files[i], rewriting_need);
    qemu_of(r)->has_display = true;
    return true;
}

/* Options that name character devices: serial lines, monitors. */

#include "qmp/argv/port.h"
#include "xmig/text.h"

/* QEMU at the target must start without waiting until somebody connects. */
static void do_not_wait(struct keyvals *kv)
{
    const char *said = keyvals_get(kv, "wait");

    if (said && !strcmp(said, "off"))
        return;
    keyvals_remove(kv, "wait");
    keyvals_set_flag(kv, "wait", false);
}

/* ---- -chardev ---- */

static bool rewrite_socket(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    bool listens = keyvals_flag(kv, "server");

    if (keyvals_get(kv, "fd"))
        return error_set(err, ERROR_REFUSED,
                         "QEMU's option -%s uses a descriptor that was handed to it: only who "
                         "started the VM can start another one like it",
                         r->option);
    rewriting_path_key(r, kv, "path", listens ? rewriting_listen : rewriting_connect);
    if (listens) {
        rewriting_port(r, "-chardev", keyvals_get(kv, "host"), keyvals_get(kv, "port"),
                       keyvals_get(kv, "to"));
        do_not_wait(kv);
    } else if (!keyvals_get(kv, "path")) {
        rewriting_peer(r, "-chardev", keyvals_get(kv, "host"), keyvals_get(kv, "port"));
    }
    return true;
}

static void rewrite_udp(struct rewriting *r, const struct keyvals *kv)
{
    rewriting_udp_port(r, "-chardev", keyvals_get(kv, "localaddr"), keyvals_get(kv, "localport"));
    rewriting_peer(r, "-chardev", keyvals_get(kv, "host"), keyvals_get(kv, "port"));
}

bool rewriting_chardev(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    static const char *const host_devices[] = { "serial", "tty", "parallel", "parport", NULL };
    const char *backend = keyvals_get_implied(kv, "backend");

    if (!backend)
        backend = "";
    if (!strcmp(backend, "socket") && !rewrite_socket(r, kv, err))
        return false;
    if (!strcmp(backend, "udp"))
        rewrite_udp(r, kv);
    if (!strcmp(backend, "file")) {
        rewriting_path_key(r, kv, "path", rewriting_write);
        rewriting_path_key(r, kv, "input-path", rewriting_need);
        keyvals_set_flag(kv, "append", true);
    } else if (!strcmp(backend, "pipe")) {
        rewriting_path_key(r, kv, "path", rewriting_pipe);
    } else if (word_is_among(backend, host_devices)) {
        rewriting_path_key(r, kv, "path", rewriting_need);
    }
    if (keyvals_get(kv, "logfile")) {
        rewriting_path_key(r, kv, "logfile", rewriting_write);
        keyvals_set_flag(kv, "logappend", true);
    }
    return true;
}

/* ---- the short form: -serial unix:PATH,server ---- */

struct short_form {
    const char *prefix; /* "mon:" or nothing */
    const char *scheme; /* up to and with the colon */
    const char *rest;
};

static const char *const schemes[] = { "unix:",   "file:",      "pipe:",   "tcp:",
                                       "telnet:", "websocket:", "tn3270:", NULL };

static struct short_form split(const char *value)
{
    struct short_form form = { .prefix = "", .scheme = "", .rest = value };

    if (!strncmp(value, "mon:", 4)) {
        form.prefix = "mon:";
        form.rest += 4;
    }
    for (size_t i = 0; schemes[i]; i++)
        if (!strncmp(form.rest, schemes[i], strlen(schemes[i])))
            form.scheme = schemes[i];
    form.rest += strlen(form.scheme);
    return form;
}

static bool has_scheme(const struct short_form *form, const char *scheme)
{
    return !strcmp(form->scheme, scheme);
}

static void emit_short(struct rewriting *r, const struct short_form *form, const char *rest)
{
    AUTO_FREE char *value = formatted("%s%s%s", form->prefix, form->scheme, rest);

    rewriting_emit(r, r->option, value);
}

/* unix:PATH,server and tcp:HOST:PORT,server */
static bool rewrite_short_socket(struct rewriting *r, const struct short_form *form,
                                 struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    AUTO_FREE char *rest = NULL;
    const char *path;
    bool listens;

    if (!keyvals_parse(form->rest, &kv, err))
        return false;
    path = keyvals_get_implied(&kv, "path");
    listens = keyvals_flag(&kv, "server");
    if (has_scheme(form, "unix:") && path) {
        AUTO_FREE char *target = listens ? rewriting_listen(r, path) : rewriting_connect(r, path);

        keyvals_set_implied(&kv, "path", target);
    }
    if (path && !has_scheme(form, "unix:")) {
        if (listens || !strcmp(r->option, "gdb"))
            rewriting_address(r, r->option, path);
        else
            rewriting_peer_address(r, r->option, path);
    }
    if (listens)
        do_not_wait(&kv);
    rest = keyvals_print(&kv);
    emit_short(r, form, rest);
    return true;
}

/* "HOST:PORT@LOCAL:PORT" */
static void find_udp(struct rewriting *r, const char *rest)
{
    rewriting_peer_address(r, r->option, rest);
    if (strchr(rest, '@'))
        rewriting_udp_address(r, r->option, strchr(rest, '@') + 1);
}

bool rewriting_character_device(struct rewriting *r, const char *value, struct error *err)
{
    struct short_form form = split(value);
    AUTO_FREE char *path = NULL;

    if (has_scheme(&form, "file:")) {
        path = rewriting_write(r, form.rest);
        emit_short(r, &form, path);
    } else if (has_scheme(&form, "pipe:")) {
        path = rewriting_pipe(r, form.rest);
        emit_short(r, &form, path);
    } else if (*form.scheme) {
        return rewrite_short_socket(r, &form, err);
    } else {
        if (*form.rest == '/')
            path = rewriting_need(r, form.rest);
        if (!strncmp(form.rest, "udp:", 4))
            find_udp(r, form.rest + 4);
        if (strstr(form.rest, "stdio"))
            rewriting_note(r, "-%s %s: what it prints goes into the log that xmig keeps", r->option,
                           value);
        rewriting_emit(r, r->option, value);
    }
    return true;
}

/* Short for -gdb tcp::1234. */
bool rewriting_gdb_default(struct rewriting *r, const char *value, struct error *err)
{
    rewriting_port(r, "-s", "", "1234", NULL);
    return rewriting_keep(r, value, err);
}

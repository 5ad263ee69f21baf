/* Options that name character devices: serial lines, monitors, displays. */
#include <stdio.h>

#include "host/qemu/argv/argv-rewrite.h"

/* At the target nothing must wait for somebody to connect, nor empty a file that is there. */
static void do_not_wait(struct keyvals *kv)
{
    keyvals_remove(kv, "wait");
    keyvals_set_flag(kv, "wait", false);
}

static bool refuse_descriptor(const char *option, struct error *err)
{
    return error_set(err, ERROR_REFUSED,
                     "QEMU's option -%s uses a descriptor that was handed to it: only who started "
                     "the VM can start another one like it",
                     option);
}

/* ---- -chardev ---- */

static bool rewrite_socket(struct rewriting *r, const char *option, struct keyvals *kv,
                           struct error *err)
{
    const char *path = keyvals_get(kv, "path");
    bool listens = keyvals_flag(kv, "server");
    AUTO_FREE char *target = NULL;

    if (keyvals_get(kv, "fd"))
        return refuse_descriptor(option, err);
    if (path) {
        target = listens ? rewriting_listen(r, path) : rewriting_connect(r, path);
        keyvals_set(kv, "path", target);
    }
    if (listens) {
        rewriting_port(r, "-chardev", keyvals_get(kv, "host"), keyvals_get(kv, "port"),
                       keyvals_get(kv, "to"));
        do_not_wait(kv);
    }
    return true;
}

static void rewrite_file(struct rewriting *r, struct keyvals *kv)
{
    rewriting_write_key(r, kv, "path");
    rewriting_need_key(r, kv, "input-path");
    keyvals_set_flag(kv, "append", true);
}

static bool is_host_device(const char *backend)
{
    return !strcmp(backend, "serial") || !strcmp(backend, "tty") || !strcmp(backend, "parallel") ||
           !strcmp(backend, "parport") || !strcmp(backend, "pipe");
}

static bool rewrite_backend(struct rewriting *r, const char *option, struct keyvals *kv,
                            struct error *err)
{
    const char *backend = keyvals_get_implied(kv, "backend");

    if (!backend)
        backend = "";
    if (!strcmp(backend, "socket") && !rewrite_socket(r, option, kv, err))
        return false;
    if (!strcmp(backend, "file"))
        rewrite_file(r, kv);
    else if (is_host_device(backend))
        rewriting_need_key(r, kv, "path");
    if (keyvals_get(kv, "logfile")) {
        rewriting_write_key(r, kv, "logfile");
        keyvals_set_flag(kv, "logappend", true);
    }
    return true;
}

bool rewrite_chardev(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *id;

    if (!keyvals_parse(value, &kv, err))
        return false;
    id = keyvals_get(&kv, "id");
    if (id && !strcmp(id, ARGV_OWN_MONITOR))
        return true;
    if (!rewrite_backend(r, option, &kv, err))
        return false;
    rewriting_emit_keyvals(r, option, &kv);
    return true;
}

bool rewrite_mon(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *chardev;

    if (!keyvals_parse(value, &kv, err))
        return false;
    chardev = keyvals_get_implied(&kv, "chardev");
    if (!chardev || strcmp(chardev, ARGV_OWN_MONITOR) != 0)
        rewriting_emit(r, option, value);
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

static void emit_short(struct rewriting *r, const char *option, const struct short_form *form,
                       const char *rest)
{
    AUTO_FREE char *value = NULL;

    if (asprintf(&value, "%s%s%s", form->prefix, form->scheme, rest) < 0)
        abort();
    rewriting_emit(r, option, value);
}

/* unix:PATH,server and tcp:HOST:PORT,server */
static bool rewrite_short_socket(struct rewriting *r, const char *option,
                                 const struct short_form *form, struct error *err)
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
    if (path && !has_scheme(form, "unix:") && (listens || !strcmp(option, "gdb")))
        rewriting_address(r, option, path);
    if (listens)
        do_not_wait(&kv);
    rest = keyvals_print(&kv);
    emit_short(r, option, form, rest);
    return true;
}

/* Can it be told to use a -chardev? (-debugcon can, but then looks for the wrong one.) */
static bool takes_chardev(const char *option)
{
    static const char *const options[] = { "serial", "parallel", "monitor", "qmp", "qmp-pretty" };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (!strcmp(options[i], option))
            return true;
    return false;
}

/* The short form has no word for "append": the long one takes its place. */
static void emit_file(struct rewriting *r, const char *option, const char *file)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    AUTO_FREE char *id = NULL;
    AUTO_FREE char *device = NULL;
    AUTO_FREE char *path = rewriting_write(r, file);

    if (asprintf(&id, "xmig-file-%d", cJSON_GetArraySize(r->result->words)) < 0 ||
        asprintf(&device, "chardev:%s", id) < 0)
        abort();
    keyvals_parse("file", &kv, NULL);
    keyvals_set(&kv, "id", id);
    keyvals_set(&kv, "path", path);
    keyvals_set_flag(&kv, "append", true);
    rewriting_emit_keyvals(r, "chardev", &kv);
    rewriting_emit(r, option, device);
}

bool rewrite_character_device(struct rewriting *r, const char *option, const char *value,
                              struct error *err)
{
    struct short_form form = split(value);
    AUTO_FREE char *path = NULL;

    if (has_scheme(&form, "file:") && !*form.prefix && takes_chardev(option)) {
        emit_file(r, option, form.rest);
    } else if (has_scheme(&form, "file:")) {
        path = rewriting_write(r, form.rest);
        emit_short(r, option, &form, path);
    } else if (has_scheme(&form, "pipe:")) {
        path = rewriting_connect(r, form.rest);
        emit_short(r, option, &form, path);
    } else if (*form.scheme) {
        return rewrite_short_socket(r, option, &form, err);
    } else {
        if (*form.rest == '/')
            path = rewriting_need(r, form.rest);
        if (strstr(form.rest, "stdio"))
            rewriting_note(r, "-%s %s: what it prints goes into the log that xmig keeps", option,
                           value);
        rewriting_emit(r, option, value);
    }
    return true;
}

/* ---- displays ---- */

/* On one host the old copy has its display still. */
static void let_vnc_move_up(struct rewriting *r, struct keyvals *kv, const char *where)
{
    if (!r->vm->new_name || !strcmp(where, "none") || keyvals_get(kv, "to"))
        return;
    keyvals_set(kv, "to", "99");
    rewriting_note(r, "VNC is at '%s', or at the next display that is free", where);
}

bool rewrite_vnc(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *where;

    (void)option;
    if (!keyvals_parse(value, &kv, err))
        return false;
    where = keyvals_get_implied(&kv, "vnc");
    if (where && !strncmp(where, "unix:", 5)) {
        AUTO_FREE char *path = rewriting_listen(r, where + 5);
        AUTO_FREE char *target = NULL;

        if (asprintf(&target, "unix:%s", path) < 0)
            abort();
        keyvals_set_implied(&kv, "vnc", target);
    } else if (where) {
        let_vnc_move_up(r, &kv, where);
        rewriting_vnc_port(r, &kv, where);
    }
    r->has_display = true;
    rewriting_emit_keyvals(r, "vnc", &kv);
    return true;
}

bool rewrite_spice(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, err))
        return false;
    if (keyvals_flag(&kv, "unix") && keyvals_get(&kv, "addr")) {
        AUTO_FREE char *path = rewriting_listen(r, keyvals_get(&kv, "addr"));

        keyvals_set(&kv, "addr", path);
    } else {
        rewriting_port(r, "-spice", keyvals_get(&kv, "addr"), keyvals_get(&kv, "port"), NULL);
        rewriting_port(r, "-spice", keyvals_get(&kv, "addr"), keyvals_get(&kv, "tls-port"), NULL);
    }
    rewriting_need_key(r, &kv, "x509-dir");
    r->has_display = true;
    rewriting_emit_keyvals(r, option, &kv);
    return true;
}

/* What becomes of each of a device model's options at another host. */
#include "host/xen/argv/argv-rewrite.h"

#include <stdio.h>

#include "qmp/argv/keyvals.h"
#include "xmig/paths.h"

/* ---- what the rewriters are made of ---- */

static void emit(struct xen_rewriting *r, const char *option, const char *value)
{
    AUTO_FREE char *word = NULL;

    if (asprintf(&word, "-%s", option) < 0)
        abort();
    cJSON_AddItemToArray(r->words, must(cJSON_CreateString(word)));
    if (value)
        cJSON_AddItemToArray(r->words, must(cJSON_CreateString(value)));
}

static void emit_keyvals(struct xen_rewriting *r, const char *option, const struct keyvals *kv)
{
    AUTO_FREE char *value = keyvals_print(kv);

    emit(r, option, value);
}

bool xen_argv_keep(struct xen_rewriting *r, const char *option, const char *value,
                   struct error *err)
{
    (void)err;
    emit(r, option, value);
    return true;
}

/* What belongs to the start of the process, and not to the machine. */
bool xen_argv_drop(struct xen_rewriting *r, const char *option, const char *value,
                   struct error *err)
{
    (void)r;
    (void)option;
    (void)value;
    (void)err;
    return true;
}

bool xen_argv_refuse(struct xen_rewriting *r, const char *option, const char *value,
                     struct error *err)
{
    (void)r;
    return error_set(err, ERROR_REFUSED, "a guest whose device model has '-%s%s%s' cannot be moved",
                     option, value ? " " : "", value ? value : "");
}

static bool is_path(const char *text)
{
    return text && *text == '/';
}

/* A file that QEMU writes, or a socket at which it listens. */
static char *written(const struct xen_rewriting *r, const char *path)
{
    return path_renamed(path, r->vm->name, r->vm->new_name);
}

static void written_key(struct xen_rewriting *r, struct keyvals *kv, const char *key)
{
    const char *path = keyvals_get(kv, key);
    AUTO_FREE char *renamed = is_path(path) ? written(r, path) : NULL;

    if (renamed)
        keyvals_set(kv, key, renamed);
}

static void need(struct xen_rewriting *r, const char *path)
{
    if (is_path(path))
        cJSON_AddItemToArray(r->vm->needs, must(cJSON_CreateString(path)));
}

/* ---- options with something of this host in them ---- */

bool xen_argv_domid(struct xen_rewriting *r, const char *option, const char *value,
                    struct error *err)
{
    (void)value;
    return xen_argv_keep(r, option, XEN_ARGV_DOMID, err);
}

bool xen_argv_name(struct xen_rewriting *r, const char *option, const char *value,
                   struct error *err)
{
    (void)value;
    return xen_argv_keep(r, option, r->vm->new_name ? r->vm->new_name : r->vm->name, err);
}

bool xen_argv_machine(struct xen_rewriting *r, const char *option, const char *value,
                      struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, err))
        return false;
    if (keyvals_get_implied(&kv, "type"))
        keyvals_set_implied(&kv, "type", r->vm->machine);
    emit_keyvals(r, option, &kv);
    return true;
}

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
        if (asprintf(&numbered, "/var/run/xen/%s" XEN_ARGV_DOMID, names[i]) < 0)
            abort();
        keyvals_set(kv, "path", numbered);
        return true;
    }
    return false;
}

bool xen_argv_chardev(struct xen_rewriting *r, const char *option, const char *value,
                      struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, err))
        return false;
    if (keyvals_get(&kv, "fd"))
        return xen_argv_refuse(r, option, value, err);
    if (!number_monitor(&kv))
        written_key(r, &kv, "path");
    written_key(r, &kv, "logfile");
    emit_keyvals(r, option, &kv);
    return true;
}

/* "file:/path", "unix:/path,server=on", or a name. */
bool xen_argv_serial(struct xen_rewriting *r, const char *option, const char *value,
                     struct error *err)
{
    static const char *const kinds[] = { "file:", "unix:", "pipe:" };
    AUTO_FREE char *rest = NULL;
    AUTO_FREE char *path = NULL;
    AUTO_FREE char *word = NULL;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i]);
        size_t path_len = strcspn(value, ",");

        if (strncmp(value, kinds[i], len) != 0)
            continue;
        rest = must(strndup(value + len, path_len - len));
        path = written(r, rest);
        if (asprintf(&word, "%s%s%s", kinds[i], path, value + path_len) < 0)
            abort();
        return xen_argv_keep(r, option, word, err);
    }
    return is_path(value) ? xen_argv_refuse(r, option, value, err)
                          : xen_argv_keep(r, option, value, err);
}

bool xen_argv_vnc(struct xen_rewriting *r, const char *option, const char *value, struct error *err)
{
    if (strstr(value, "password") || !strncmp(value, "unix:", 5))
        return xen_argv_refuse(r, option, value, err);
    return xen_argv_keep(r, option, value, err);
}

bool xen_argv_display(struct xen_rewriting *r, const char *option, const char *value,
                      struct error *err)
{
    return strcmp(value, "none") != 0 ? xen_argv_refuse(r, option, value, err)
                                      : xen_argv_keep(r, option, value, err);
}

bool xen_argv_input(struct xen_rewriting *r, const char *option, const char *value,
                    struct error *err)
{
    need(r, value);
    return xen_argv_keep(r, option, value, err);
}

bool xen_argv_device(struct xen_rewriting *r, const char *option, const char *value,
                     struct error *err)
{
    static const char *const bound[] = { "xen-pci-passthrough", "vfio-",   "usb-host",
                                         "pci-assign",          "ivshmem", "vhost-" };

    for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++)
        if (!strncmp(value, bound[i], strlen(bound[i])))
            return xen_argv_refuse(r, option, value, err);
    return xen_argv_keep(r, option, value, err);
}

/* A tablet, a mouse or a keyboard is the guest's alone; others are a device of this host. */
bool xen_argv_usbdevice(struct xen_rewriting *r, const char *option, const char *value,
                        struct error *err)
{
    return strchr(value, ':') ? xen_argv_refuse(r, option, value, err)
                              : xen_argv_keep(r, option, value, err);
}

/* "vif5.0-emu" → the same with another number; the script that joins it to a bridge is given
 * the bridge's name elsewhere, but QEMU knows it, too.
 */
bool xen_argv_netdev(struct xen_rewriting *r, const char *option, const char *value,
                     struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    AUTO_FREE char *numbered = NULL;
    const char *interface, *type, *bridge;
    char rest[32];

    if (!keyvals_parse(value, &kv, err))
        return false;
    type = keyvals_get_implied(&kv, "type");
    interface = keyvals_get(&kv, "ifname");
    if (!type || strcmp(type, "tap") != 0 || !interface || keyvals_get(&kv, "fd") ||
        keyvals_get(&kv, "fds"))
        return xen_argv_refuse(r, option, value, err);
    bridge = keyvals_get(&kv, "br");
    if (bridge && json_string_or(r->vm->bridges, bridge, NULL))
        keyvals_set(&kv, "br", json_string_or(r->vm->bridges, bridge, NULL));
    if (sscanf(interface, "vif%*u.%31s", rest) == 1) {
        if (asprintf(&numbered, "vif" XEN_ARGV_DOMID ".%s", rest) < 0)
            abort();
        keyvals_set(&kv, "ifname", numbered);
    }
    emit_keyvals(r, option, &kv);
    return true;
}

bool xen_argv_net(struct xen_rewriting *r, const char *option, const char *value, struct error *err)
{
    return strcmp(value, "none") != 0 ? xen_argv_refuse(r, option, value, err)
                                      : xen_argv_keep(r, option, value, err);
}

static const cJSON *moved_disk(const struct xen_rewriting *r, const char *path)
{
    AUTO_FREE char *real = path_real("/", path);
    const cJSON *disk;

    cJSON_ArrayForEach (disk, r->vm->disks) {
        AUTO_FREE char *source = path_real("/", json_string_or(disk, "source", ""));

        if (!strcmp(source, real))
            return disk;
    }
    return NULL;
}

static const cJSON *find_medium(const struct xen_rewriting *r, const struct keyvals *kv)
{
    const char *id = keyvals_get(kv, "id");
    const cJSON *medium;

    cJSON_ArrayForEach (medium, r->vm->media)
        if (id && !strcmp(json_string_or(medium, "drive", ""), id))
            return medium;
    return NULL;
}

/* The drive may have been started with something else in it. */
static void set_medium(struct keyvals *kv, const cJSON *medium)
{
    const char *image = json_string_or(medium, "image", "");

    if (*image) {
        keyvals_set(kv, "file", image);
        keyvals_set(kv, "format", "raw");
        return;
    }
    keyvals_remove(kv, "file");
    keyvals_remove(kv, "format");
}

/* A disk that is written and does not move would be lost; what is only read must be there. */
bool xen_argv_drive(struct xen_rewriting *r, const char *option, const char *value,
                    struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const cJSON *disk, *medium;
    const char *file;

    if (!keyvals_parse(value, &kv, err))
        return false;
    file = keyvals_get(&kv, "file");
    disk = file ? moved_disk(r, file) : NULL;
    medium = find_medium(r, &kv);
    if (medium)
        set_medium(&kv, medium);
    else if (disk)
        keyvals_set(&kv, "file", json_string_or(disk, "image", ""));
    else if (file && !keyvals_flag(&kv, "readonly"))
        return xen_argv_refuse(r, option, value, err);
    else if (file)
        need(r, file);
    emit_keyvals(r, option, &kv);
    return true;
}

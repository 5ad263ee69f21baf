/* A table of the options that libxl gives a device model, and of some that users add. */
#include "host/xen/argv.h"

#include <stdio.h>

#include "host/qemu/keyvals.h"
#include "host/qemu/paths.h"

struct rewriting {
    struct xen_argv *vm;
    cJSON *words;
};

typedef bool rewriter(struct rewriting *r, const char *option, const char *value,
                      struct error *err);

/* ---- what the rewriters are made of ---- */

static void emit(struct rewriting *r, const char *option, const char *value)
{
    AUTO_FREE char *word = NULL;

    if (asprintf(&word, "-%s", option) < 0)
        abort();
    cJSON_AddItemToArray(r->words, must(cJSON_CreateString(word)));
    if (value)
        cJSON_AddItemToArray(r->words, must(cJSON_CreateString(value)));
}

static void emit_keyvals(struct rewriting *r, const char *option, const struct keyvals *kv)
{
    AUTO_FREE char *value = keyvals_print(kv);

    emit(r, option, value);
}

static bool keep(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    (void)err;
    emit(r, option, value);
    return true;
}

/* What belongs to the start of the process, and not to the machine. */
static bool drop(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    (void)r;
    (void)option;
    (void)value;
    (void)err;
    return true;
}

static bool refuse(struct rewriting *r, const char *option, const char *value, struct error *err)
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
static char *written(const struct rewriting *r, const char *path)
{
    return path_renamed(path, r->vm->name, r->vm->new_name);
}

static void written_key(struct rewriting *r, struct keyvals *kv, const char *key)
{
    const char *path = keyvals_get(kv, key);
    AUTO_FREE char *renamed = is_path(path) ? written(r, path) : NULL;

    if (renamed)
        keyvals_set(kv, key, renamed);
}

static void need(struct rewriting *r, const char *path)
{
    if (is_path(path))
        cJSON_AddItemToArray(r->vm->needs, must(cJSON_CreateString(path)));
}

/* ---- options with something of this host in them ---- */

static bool domid(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    (void)value;
    return keep(r, option, XEN_ARGV_DOMID, err);
}

static bool name(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    (void)value;
    return keep(r, option, r->vm->new_name ? r->vm->new_name : r->vm->name, err);
}

static bool machine(struct rewriting *r, const char *option, const char *value, struct error *err)
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

static bool chardev(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, err))
        return false;
    if (keyvals_get(&kv, "fd"))
        return refuse(r, option, value, err);
    if (!number_monitor(&kv))
        written_key(r, &kv, "path");
    written_key(r, &kv, "logfile");
    emit_keyvals(r, option, &kv);
    return true;
}

/* "file:/path", "unix:/path,server=on", or a name. */
static bool serial(struct rewriting *r, const char *option, const char *value, struct error *err)
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
        return keep(r, option, word, err);
    }
    return is_path(value) ? refuse(r, option, value, err) : keep(r, option, value, err);
}

static bool vnc(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    if (strstr(value, "password") || !strncmp(value, "unix:", 5))
        return refuse(r, option, value, err);
    return keep(r, option, value, err);
}

static bool display(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    return strcmp(value, "none") != 0 ? refuse(r, option, value, err) : keep(r, option, value, err);
}

static bool input(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    need(r, value);
    return keep(r, option, value, err);
}

static bool device(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    static const char *const bound[] = { "xen-pci-passthrough", "vfio-",   "usb-host",
                                         "pci-assign",          "ivshmem", "vhost-" };

    for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++)
        if (!strncmp(value, bound[i], strlen(bound[i])))
            return refuse(r, option, value, err);
    return keep(r, option, value, err);
}

/* "vif5.0-emu" → the same with another number. */
static bool netdev(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    AUTO_FREE char *numbered = NULL;
    const char *interface;
    char rest[32];

    if (!keyvals_parse(value, &kv, err))
        return false;
    interface = keyvals_get(&kv, "ifname");
    if (strncmp(value, "tap,", 4) != 0 || !interface || keyvals_get(&kv, "fd") ||
        keyvals_get(&kv, "fds"))
        return refuse(r, option, value, err);
    if (sscanf(interface, "vif%*u.%31s", rest) == 1) {
        if (asprintf(&numbered, "vif" XEN_ARGV_DOMID ".%s", rest) < 0)
            abort();
        keyvals_set(&kv, "ifname", numbered);
    }
    emit_keyvals(r, option, &kv);
    return true;
}

static bool net(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    return strcmp(value, "none") != 0 ? refuse(r, option, value, err) : keep(r, option, value, err);
}

static const cJSON *moved_disk(const struct rewriting *r, const char *path)
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

/* A disk that is written and does not move would be lost; what is only read must be there. */
static bool drive(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *file;
    const cJSON *disk;

    if (!keyvals_parse(value, &kv, err))
        return false;
    file = keyvals_get(&kv, "file");
    disk = file ? moved_disk(r, file) : NULL;
    if (disk)
        keyvals_set(&kv, "file", json_string_or(disk, "image", ""));
    else if (file && !keyvals_flag(&kv, "readonly"))
        return refuse(r, option, value, err);
    else if (file)
        need(r, file);
    emit_keyvals(r, option, &kv);
    return true;
}

/* ---- the table ---- */

static const struct option {
    const char *name;
    bool takes_value;
    rewriter *rewrite;
} options[] = {
    { "xen-domid", true, domid },
    { "no-shutdown", false, keep },
    { "no-reboot", false, keep },
    { "chardev", true, chardev },
    { "mon", true, keep },
    { "nodefaults", false, keep },
    { "no-user-config", false, keep },
    { "name", true, name },
    { "vnc", true, vnc },
    { "display", true, display },
    { "k", true, keep },
    { "kernel", true, input },
    { "initrd", true, input },
    { "append", true, keep },
    { "bios", true, input },
    { "serial", true, serial },
    { "parallel", true, serial },
    { "debugcon", true, serial },
    { "nographic", false, keep },
    { "device", true, device },
    { "boot", true, keep },
    { "usb", false, keep },
    { "usbdevice", true, keep },
    { "soundhw", true, keep },
    { "audio", true, keep },
    { "audiodev", true, keep },
    { "no-acpi", false, keep },
    { "smp", true, keep },
    { "netdev", true, netdev },
    { "net", true, net },
    { "machine", true, machine },
    { "M", true, machine },
    { "m", true, keep },
    { "drive", true, drive },
    { "vga", true, keep },
    { "global", true, keep },
    { "rtc", true, keep },
    { "smbios", true, keep },
    { "msg", true, keep },
    { "d", true, keep },
    { "D", true, keep },
    { "trace", true, keep },
    { "overcommit", true, keep },

    { "S", false, drop },
    { "incoming", true, drop },
};

static const struct option *find_option(const char *wanted)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (!strcmp(options[i].name, wanted))
            return &options[i];
    return NULL;
}

static void note_renamed(struct rewriting *r, const char *value)
{
    int last = cJSON_GetArraySize(r->words) - 1;
    const cJSON *word = cJSON_GetArrayItem(r->words, last);

    if (value && word && strcmp(word->valuestring, value) != 0)
        cJSON_AddStringToObject(r->vm->renamed, value, word->valuestring);
}

/* The option at `*word`, which is moved behind it and its value. */
static bool rewrite_one(struct rewriting *r, const cJSON **word, struct error *err)
{
    const char *text = (*word)->valuestring;
    const struct option *option =
        *text == '-' ? find_option(text + (text[1] == '-' ? 2 : 1)) : NULL;
    const char *value = NULL;

    if (!option)
        return error_set(err, ERROR_REFUSED,
                         "xmig does not know the device model's option '%s', and so not whether "
                         "the guest can be moved with it",
                         text);
    *word = (*word)->next;
    if (option->takes_value) {
        if (!*word)
            return error_set(err, ERROR_REFUSED, "the device model's option '%s' has no value",
                             text);
        value = (*word)->valuestring;
        *word = (*word)->next;
    }
    if (!option->rewrite(r, option->name, value, err))
        return false;
    if (option->rewrite != drop)
        note_renamed(r, value);
    return true;
}

/* ---- the public face ---- */

cJSON *xen_argv_rewrite(const cJSON *words, struct xen_argv *vm, struct error *err)
{
    AUTO_JSON cJSON *rewritten = must(cJSON_CreateArray());
    struct rewriting r = { vm, rewritten };
    const cJSON *word = words->child;

    while (word)
        if (!rewrite_one(&r, &word, err))
            return NULL;
    return steal(rewritten);
}

static char *with_number(const char *text, unsigned domid)
{
    AUTO_FREE char *rest = must(strdup(text));
    char *place = strstr(rest, XEN_ARGV_DOMID);
    char *numbered;

    if (!place)
        return steal(rest);
    *place = '\0';
    if (asprintf(&numbered, "%s%u%s", rest, domid, place + strlen(XEN_ARGV_DOMID)) < 0)
        abort();
    return numbered;
}

cJSON *xen_argv_number(const cJSON *words, unsigned domid)
{
    cJSON *numbered = must(cJSON_CreateArray());
    const cJSON *word;

    cJSON_ArrayForEach (word, words) {
        AUTO_FREE char *text = with_number(word->valuestring, domid);

        cJSON_AddItemToArray(numbered, must(cJSON_CreateString(text)));
    }
    return numbered;
}

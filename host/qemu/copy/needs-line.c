/* The words of a QEMU's command line as needs. */
#include "host/qemu/copy/needs-line.h"

#include "host/qemu/argv/argv.h"
#include "qmp/argv/keyvals.h"
#include "xmig/text.h"
#include "xmig/units.h"

struct line {
    const cJSON *params;
    const cJSON *words;
    struct needs *needs;
    const char *option; /* the one in hand, without dashes */
};

static const cJSON *get(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool is(const char *text, const char *word)
{
    return text && !strcmp(text, word);
}

static void add(const struct line *line, enum need_kind kind, const char *what)
{
    if (!needs_have(line->needs, kind, what))
        needs_add(line->needs, kind, what, 0, "-%s", line->option);
}

/* ---- each text in an option's value ---- */

typedef void text_visitor(const struct line *line, const char *key, const char *text);

static void visit_json(const struct line *line, const cJSON *json, text_visitor *visit)
{
    const cJSON *item;

    if (cJSON_IsString(json))
        visit(line, json->string ? json->string : "", json->valuestring);
    cJSON_ArrayForEach (item, json)
        visit_json(line, item, visit);
}

static void visit_texts(const struct line *line, const struct keyvals *kv, text_visitor *visit)
{
    for (size_t i = 0; i < kv->count; i++)
        visit(line, kv->items[i].key ? kv->items[i].key : "", kv->items[i].value);
    visit_json(line, kv->json, visit);
}

/* ---- paths ---- */

static bool is_disk(const struct line *line, const char *path)
{
    const cJSON *disk;

    cJSON_ArrayForEach (disk, get(line->params, "disks"))
        if (is(path, json_string_or(disk, "image", "")))
            return true;
    return false;
}

/* Where a path begins in "/a", "unix:/a", "addr=unix:path=/a"; NULL: there is none. */
static const char *path_in(const char *text)
{
    const char *slash = text;

    while ((slash = strchr(slash, '/'))) {
        if (slash == text || slash[-1] == ':' || slash[-1] == '=')
            return slash;
        slash++;
    }
    return NULL;
}

/* A file is read only where the table of options says so; else it may be written to. */
static void visit_path(const struct line *line, const char *key, const char *text)
{
    static const char *const read[] = { "kernel", "initrd",     "dtb", "shim",
                                        "bios",   "option-rom", "L",   NULL };
    const char *path = path_in(text);
    bool is_free = (is(line->option, "fw_cfg") && is(key, "string")) ||
                   (is(line->option, "smbios") && is(key, "value"));

    if (!strncmp(text, "json:", 5) || strstr(text, "://"))
        add(line, NEED_UNKNOWN, text);
    else if (path && !is_free && !is_disk(line, path) &&
             !needs_have(line->needs, NEED_READ, path) &&
             !needs_have(line->needs, NEED_SCRIPT, path))
        add(line, word_is_among(line->option, read) ? NEED_READ : NEED_FILE, path);
}

/* A node that only nodes stand on that do not write. */
static bool has_readers_only(const struct line *line, const char *node)
{
    struct option_step step = { .rest = line->words->child };
    bool found = false;

    while (option_next(&qemu_options, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };

        if (!step.value || !keyvals_parse(step.value, &kv, NULL))
            continue;
        if (is(step.name, "device") && is(keyvals_get(&kv, "drive"), node))
            return false;
        if (!is(step.name, "blockdev") || !is(keyvals_get(&kv, "file"), node))
            continue;
        if (!keyvals_flag(&kv, "read-only"))
            return false;
        found = true;
    }
    return found;
}

static bool is_written(const struct line *line, const struct keyvals *kv)
{
    static const char *const drives[] = { "drive", "blockdev", "hda", "hdb",    "hdc",
                                          "hdd",   "fda",      "fdb", "pflash", "mtdblock",
                                          "sd",    "",         NULL };
    const char *node = keyvals_get(kv, "node-name");

    if (!word_is_among(line->option, drives) || is(keyvals_get(kv, "media"), "cdrom"))
        return false;
    return !keyvals_flag(kv, "readonly") && !keyvals_flag(kv, "read-only") &&
           !(node && has_readers_only(line, node));
}

static void visit_image(const struct line *line, const char *key, const char *text)
{
    const char *path = path_in(text);

    (void)key;
    if (path && !is_disk(line, path))
        add(line, NEED_FILE, path);
}

/* ---- networks ---- */

static bool has_bridge(const struct line *line, const char *tap)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, get(get(line->params, "qemu"), "taps"))
        if (is(tap, json_string_or(item, "tap", "")))
            return true;
    return false;
}

/* QEMU runs one that the line does not turn off. */
static void add_script(const struct line *line, const struct keyvals *kv, const char *key,
                       const char *otherwise)
{
    const char *script = keyvals_get(kv, key);

    if (!script)
        script = otherwise;
    if (*script && !is(script, "no"))
        add(line, NEED_SCRIPT, script);
}

static void add_tap(const struct line *line, const struct keyvals *kv)
{
    const char *interface = keyvals_get(kv, "ifname");
    const char *bridge = keyvals_get(kv, "br");

    if (keyvals_get(kv, "helper")) {
        add(line, NEED_COMMAND, keyvals_get(kv, "helper"));
        add(line, NEED_BRIDGE, bridge ? bridge : "br0");
        return;
    }
    add_script(line, kv, "script", "/etc/qemu-ifup");
    add_script(line, kv, "downscript", "/etc/qemu-ifdown");
    if (interface && !has_bridge(line, interface))
        add(line, NEED_BRIDGE, interface);
}

/* "tcp:10.0.2.100:80-cmd:PROGRAM …" */
static void visit_command(const struct line *line, const char *key, const char *text)
{
    const char *command = strstr(text, "cmd:");

    (void)key;
    if (command)
        add(line, NEED_COMMAND, command + strlen("cmd:"));
}

static void add_network(const struct line *line, const struct keyvals *kv)
{
    static const char *const harmless[] = { "none",   "nic",   "user",   "hubport", "socket",
                                            "stream", "dgram", "l2tpv3", "vde",     NULL };
    const char *type = keyvals_get_implied(kv, "type");

    if (is(type, "tap"))
        add_tap(line, kv);
    else if (is(type, "bridge")) {
        if (keyvals_get(kv, "helper"))
            add(line, NEED_COMMAND, keyvals_get(kv, "helper"));
        add(line, NEED_BRIDGE, keyvals_get(kv, "br") ? keyvals_get(kv, "br") : "br0");
    } else if (!word_is_among(type, harmless)) {
        add(line, NEED_UNKNOWN, type ? type : "a network of no type");
    }
    if (keyvals_get(kv, "smb")) /* samba's server lets the guest write there */
        add(line, NEED_FILE, keyvals_get(kv, "smb"));
    visit_texts(line, kv, visit_command);
}

/* ---- users ---- */

static void add_user(const struct line *line, const struct keyvals *kv)
{
    const char *user =
        is(line->option, "runas") ? keyvals_get_implied(kv, "user") : keyvals_get(kv, "user");

    if (user)
        add(line, NEED_USER, user);
}

bool line_drops_privileges(const cJSON *words)
{
    const char *run_with = argv_value(words, "run-with");
    AUTO_KEYVALS struct keyvals kv = { 0 };

    return argv_has(words, "runas") ||
           (run_with && keyvals_parse(run_with, &kv, NULL) && keyvals_get(&kv, "user"));
}

/* ---- memory ---- */

/* A number without a unit is `unit` bytes; what cannot be read is more than any limit. */
static uint64_t size_of(const char *text, uint64_t unit)
{
    size_t digits = text ? strspn(text, "0123456789.") : 0;
    AUTO_FREE char *size = text ? formatted("%.*s", (int)(digits + 1), text) : NULL;
    uint64_t bytes;

    if (!size || !digits)
        return UINT64_MAX;
    if (size[digits] >= 'a' && size[digits] <= 'z')
        size[digits] = (char)(size[digits] - 'a' + 'A');
    if (!parse_size(size, &bytes, NULL))
        return UINT64_MAX;
    return size[digits] || bytes > UINT64_MAX / unit ? bytes : bytes * unit;
}

static uint64_t backend_size(const struct line *line, const char *id)
{
    struct option_step step = { .rest = line->words->child };

    while (option_next(&qemu_options, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };

        if (is(step.name, "object") && keyvals_parse(step.value, &kv, NULL) &&
            is(keyvals_get(&kv, "id"), id) && keyvals_get(&kv, "size"))
            return size_of(keyvals_get(&kv, "size"), 1);
    }
    return UINT64_MAX;
}

static void grow(uint64_t *sum, uint64_t size)
{
    if (__builtin_add_overflow(*sum, size, sum))
        *sum = UINT64_MAX;
}

/* Its word for it is the sender's; these are what QEMU will have. */
static void add_memory(const struct line *line)
{
    struct option_step step = { .rest = line->words->child };
    uint64_t base = UINT64_C(128) << 20; /* QEMU's own */
    uint64_t plugged = 0;

    while (option_next(&qemu_options, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };
        const char *backend;

        if (!step.value || !keyvals_parse(step.value, &kv, NULL))
            continue;
        backend = is(step.name, "device") ? keyvals_get(&kv, "memdev") : NULL;
        if (is(step.name, "m") && keyvals_get_implied(&kv, "size"))
            base = size_of(keyvals_get_implied(&kv, "size"), UINT64_C(1) << 20);
        if (backend)
            grow(&plugged, backend_size(line, backend));
    }
    grow(&base, plugged);
    needs_add(line->needs, NEED_MEMORY, "", base, "%s", "");
}

/* ---- the line ---- */

static void add_option(struct line *line, const struct option_step *step, text_visitor *visit)
{
    static const char *const free_texts[] = { "append", "prom-env", "name", NULL };
    static const char *const networks[] = { "netdev", "nic", "net", NULL };
    AUTO_KEYVALS struct keyvals kv = { 0 };

    line->option = step->name;
    if (!step->value || word_is_among(step->name, free_texts))
        return;
    if (!keyvals_parse(step->value, &kv, NULL)) {
        add(line, NEED_UNKNOWN, step->value);
        return;
    }
    if (visit) {
        visit_texts(line, &kv, visit);
        return;
    }
    if (word_is_among(step->name, networks))
        add_network(line, &kv);
    if (is(step->name, "runas") || is(step->name, "run-with"))
        add_user(line, &kv);
    if (is_written(line, &kv))
        visit_texts(line, &kv, visit_image);
}

static void each_option(struct line *line, text_visitor *visit)
{
    struct option_step step = { .rest = line->words->child };

    while (option_next(&qemu_options, &step, NULL))
        add_option(line, &step, visit);
}

/* What the table of options finds: files that are only read, bridges, ports. */
static void add_found(const struct line *line, const struct argv_result *found)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, found->needs) {
        const char *path = item->valuestring;

        if (!is_disk(line, path) && !needs_have(line->needs, NEED_FILE, path) &&
            !needs_have(line->needs, NEED_SCRIPT, path) &&
            !needs_have(line->needs, NEED_COMMAND, path))
            needs_add(line->needs, NEED_READ, path, 0, "%s", "");
    }
    cJSON_ArrayForEach (item, found->ports)
        needs_add_listener(line->needs, json_string_or(item, "host", ""),
                           json_uint_or(item, "port", 0), json_uint_or(item, "to", 0),
                           json_string_or(item, "what", "?"));
}

bool line_needs(const cJSON *params, struct needs *needs, struct error *err)
{
    struct line line = { .params = params,
                         .words = get(get(params, "qemu"), "words"),
                         .needs = needs };
    struct argv_vm vm = { .cwd = "/",
                          .name = json_string_or(params, "name", "?"),
                          .machine = json_string_or(get(params, "qemu"), "machine", "?"),
                          .accelerator = json_string_or(get(params, "qemu"), "accelerator", "?") };
    struct argv_result found;
    bool ok = error_goes_on(err, argv_rewrite(line.words, &vm, &found, err));

    each_option(&line, NULL);
    add_found(&line, &found);
    each_option(&line, visit_path);
    add_memory(&line);
    argv_result_done(&found);
    return ok;
}

/* The words of a QEMU's command line as needs. */
#include "host/qemu/copy/needs-line.h"

#include "host/needs/line.h"
#include "host/qemu/argv/argv.h"
#include "xmig/text.h"
#include "xmig/units.h"

struct line {
    struct needs_line base; /* first, so that one is the other */
    const cJSON *taps;
};

static bool is(const char *text, const char *word)
{
    return text && !strcmp(text, word);
}

/* ---- networks ---- */

static bool has_bridge(const struct needs_line *line, const char *tap)
{
    struct qemu_tap known;
    const cJSON *item;

    fields_each (item, ((const struct line *)line)->taps, qemu_tap_fields, &known)
        if (!strcmp(tap, known.tap))
            return true;
    return false;
}

/* QEMU runs one that the line does not turn off. */
static void add_script(const struct needs_line *line, const struct keyvals *kv, const char *key,
                       const char *otherwise)
{
    const char *script = keyvals_get(kv, key);

    if (!script)
        script = otherwise;
    if (*script && !is(script, "no"))
        line_add(line, NEED_SCRIPT, script);
}

/* QEMU's own helper is run where the line names none. */
static void add_helped(const struct needs_line *line, const struct keyvals *kv)
{
    const char *helper = keyvals_get(kv, "helper");
    const char *bridge = keyvals_get(kv, "br");

    if (helper)
        line_add(line, NEED_COMMAND, helper);
    line_add(line, NEED_BRIDGE, bridge ? bridge : "br0");
}

static void add_tap(const struct needs_line *line, const struct keyvals *kv)
{
    const char *interface = keyvals_get(kv, "ifname");

    if (keyvals_get(kv, "helper")) {
        add_helped(line, kv);
        return;
    }
    add_script(line, kv, "script", "/etc/qemu-ifup");
    add_script(line, kv, "downscript", "/etc/qemu-ifdown");
    if (interface && !has_bridge(line, interface))
        line_add(line, NEED_BRIDGE, interface);
}

/* "tcp:10.0.2.100:80-cmd:PROGRAM …" */
static void visit_command(const struct needs_line *line, const char *key, const char *text)
{
    const char *command = strstr(text, "cmd:");

    (void)key;
    if (command)
        line_add(line, NEED_COMMAND, command + strlen("cmd:"));
}

static void add_network(const struct needs_line *line, const struct keyvals *kv)
{
    static const char *const harmless[] = { "none",   "nic",   "user",   "hubport", "socket",
                                            "stream", "dgram", "l2tpv3", "vde",     NULL };
    const char *type = keyvals_get_implied(kv, "type");

    if (is(type, "tap"))
        add_tap(line, kv);
    else if (is(type, "bridge"))
        add_helped(line, kv);
    else if (!word_is_among(type, harmless))
        line_add(line, NEED_UNKNOWN, type ? type : "a network of no type");
    if (keyvals_get(kv, "smb")) /* samba's server lets the guest write there */
        line_add(line, NEED_FILE, keyvals_get(kv, "smb"));
    line_visit(line, kv, visit_command);
}

/* ---- folders ---- */

/* What the guest mounts it may write to. */
static void add_shared_folder(const struct needs_line *line, const struct keyvals *kv)
{
    const char *path = keyvals_get(kv, "path");

    if (path && !keyvals_flag(kv, "readonly"))
        line_add(line, NEED_FILE, path);
}

/* ---- users ---- */

static void add_user(const struct needs_line *line, const struct keyvals *kv)
{
    const char *user =
        is(line->option, "runas") ? keyvals_get_implied(kv, "user") : keyvals_get(kv, "user");

    if (user)
        line_add(line, NEED_USER, user);
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

static uint64_t backend_size(const cJSON *words, const char *id)
{
    struct option_step step = { .rest = words->child };

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
static void add_memory(const cJSON *words, struct needs *needs)
{
    struct option_step step = { .rest = words->child };
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
            grow(&plugged, backend_size(words, backend));
    }
    grow(&base, plugged);
    needs_add(needs, NEED_MEMORY, "", base, "%s", "");
}

/* ---- the line ---- */

static void add_option(const struct needs_line *line, const struct keyvals *kv)
{
    static const char *const networks[] = { "netdev", "nic", "net", NULL };

    if (word_is_among(line->option, networks))
        add_network(line, kv);
    if (is(line->option, "fsdev") || is(line->option, "virtfs"))
        add_shared_folder(line, kv);
    if (is(line->option, "runas") || is(line->option, "run-with"))
        add_user(line, kv);
}

/* What the table of options finds: programs, files that are only read, and ports. */
static void add_found(const struct needs_line *line, const struct argv_result *found)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, found->programs)
        if (!needs_have(line->needs, NEED_SCRIPT, item->valuestring) &&
            !needs_have(line->needs, NEED_COMMAND, item->valuestring))
            needs_add(line->needs, NEED_COMMAND, item->valuestring, 0, "%s", "");
    cJSON_ArrayForEach (item, found->needs) {
        const char *path = item->valuestring;

        if (!line_has_disk(line, path) && !needs_have(line->needs, NEED_FILE, path) &&
            !needs_have(line->needs, NEED_SCRIPT, path) &&
            !needs_have(line->needs, NEED_COMMAND, path))
            needs_add(line->needs, NEED_READ, path, 0, "%s", "");
    }
    line_need_ports(line, found);
}

bool line_needs(const struct qemu_machine *qemu, const struct disk_params *disks, bool mirrored,
                struct needs *needs, struct error *err)
{
    struct line line = {
        .base = { .table = &qemu_options, .words = qemu->words, .disks = disks, .needs = needs },
        .taps = qemu->taps
    };
    struct argv_result found = { 0 };
    bool ok = error_goes_on(err, argv_arrived(qemu->words, mirrored ? disks : NULL, qemu->machine,
                                              qemu->accelerator, &found, err));

    line_each(&line.base, add_option);
    line_need_images(&line.base);
    add_found(&line.base, &found);
    line_need_paths(&line.base);
    add_memory(line.base.words, needs);
    argv_result_done(&found);
    return ok;
}

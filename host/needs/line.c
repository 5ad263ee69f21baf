/* A line's values that look like paths. */
#include "host/needs/line.h"

#include "host/needs/disks.h"
#include "qmp/argv/image-place.h"
#include "qmp/argv/port.h"
#include "qmp/block-image.h"
#include "xmig/text.h"

static bool is(const char *text, const char *word)
{
    return text && !strcmp(text, word);
}

void line_add(const struct needs_line *line, enum need_kind kind, const char *what)
{
    if (!needs_have(line->needs, kind, what))
        needs_add(line->needs, kind, what, 0, "-%s", line->option);
}

/* ---- options and their texts ---- */

static void take_option(struct needs_line *line, const struct option_step *step,
                        void (*take)(const struct needs_line *line, const struct keyvals *kv))
{
    static const char *const free_texts[] = { "append", "prom-env", "name", NULL };
    AUTO_KEYVALS struct keyvals kv = { 0 };

    line->option = step->name;
    if (!step->value || word_is_among(step->name, free_texts))
        return;
    if (keyvals_parse(step->value, &kv, NULL))
        take(line, &kv);
    else
        line_add(line, NEED_UNKNOWN, step->value);
}

void line_each(struct needs_line *line,
               void (*take)(const struct needs_line *line, const struct keyvals *kv))
{
    struct option_step step = { .rest = line->words->child };
    struct error err = { 0 };

    while (option_next(line->table, &step, &err))
        take_option(line, &step, take);
    if (err.kind != ERROR_NONE && !needs_have(line->needs, NEED_UNKNOWN, err.text))
        needs_add(line->needs, NEED_UNKNOWN, err.text, 0, "%s", "");
}

static void visit_json(const struct needs_line *line, const cJSON *json,
                       void (*visit)(const struct needs_line *line, const char *key,
                                     const char *text))
{
    const cJSON *item;

    if (cJSON_IsString(json))
        visit(line, json->string ? json->string : "", json->valuestring);
    cJSON_ArrayForEach (item, json)
        visit_json(line, item, visit);
}

void line_visit(const struct needs_line *line, const struct keyvals *kv,
                void (*visit)(const struct needs_line *line, const char *key, const char *text))
{
    for (size_t i = 0; i < kv->count; i++)
        visit(line, kv->items[i].key ? kv->items[i].key : "", kv->items[i].value);
    visit_json(line, kv->json, visit);
}

/* ---- paths ---- */

bool line_has_disk(const struct needs_line *line, const char *path)
{
    for (const struct disk_params *disk = line->disks; disk->name; disk++)
        if (is(path, disk->image))
            return true;
    return false;
}

/* Where a path begins in "/a", "unix:/a", "addr=unix:path=/a"; NULL: there is none, as in
 * "nbd://host/a".
 */
static const char *path_in(const char *text)
{
    const char *slash = text;

    while ((slash = strchr(slash, '/'))) {
        bool is_scheme = slash > text && slash[-1] == ':' && slash[1] == '/';

        if (!is_scheme && (slash == text || slash[-1] == ':' || slash[-1] == '='))
            return slash;
        slash += is_scheme ? 2 : 1;
    }
    return NULL;
}

static bool is_drive(const struct needs_line *line)
{
    static const char *const drives[] = { "drive", "blockdev", "hda", "hdb",    "hdc",
                                          "hdd",   "fda",      "fdb", "pflash", "mtdblock",
                                          "sd",    "cdrom",    "",    NULL };

    return word_is_among(line->option, drives);
}

void line_need_text(const struct needs_line *line, const char *key, const char *text)
{
    static const char *const read[] = { "kernel", "initrd",     "dtb", "shim",
                                        "bios",   "option-rom", "L",   NULL };
    const char *path = path_in(text);
    bool is_own = line->own && word_is_among(path, line->own);
    bool is_free = (is(line->option, "fw_cfg") && is(key, "string")) ||
                   (is(line->option, "smbios") && is(key, "value"));

    if (!strncmp(text, "json:", 5) || (strstr(text, "://") && !is_drive(line)))
        line_add(line, NEED_UNKNOWN, text);
    else if (path && !is_free && !is_own && !line_has_disk(line, path) &&
             !needs_have(line->needs, NEED_READ, path) &&
             !needs_have(line->needs, NEED_SCRIPT, path))
        line_add(line, word_is_among(line->option, read) ? NEED_READ : NEED_FILE, path);
}

static void need_texts(const struct needs_line *line, const struct keyvals *kv)
{
    line_visit(line, kv, line_need_text);
}

void line_need_paths(struct needs_line *line)
{
    line_each(line, need_texts);
}

/* ---- networks ---- */

void line_need_ports(const struct needs_line *line, const struct argv_result *found)
{
    struct qemu_port port;
    const cJSON *item;

    fields_each (item, found->ports, qemu_port_fields, &port)
        needs_add_ports(line->needs, NEED_LISTENER, port.host, port.port, port.to, port.what);
    fields_each (item, found->peers, qemu_port_fields, &port)
        needs_add_ports(line->needs, NEED_CONNECTION, port.host, port.port, port.to, port.what);
}

/* ---- images ---- */

/* A node that only nodes stand on that do not write. */
static bool has_readers_only(const struct needs_line *line, const char *node)
{
    struct option_step step = { .rest = line->words->child };
    bool found = false;

    while (option_next(line->table, &step, NULL)) {
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

static bool is_written(const struct needs_line *line, const struct keyvals *kv)
{
    const char *node = keyvals_get(kv, "node-name");

    return !is(line->option, "cdrom") && !is(keyvals_get(kv, "media"), "cdrom") &&
           !keyvals_flag(kv, "readonly") && !keyvals_flag(kv, "read-only") &&
           !(node && has_readers_only(line, node));
}

static void visit_image(const struct needs_line *line, const char *key, const char *text)
{
    const char *path = path_in(text);

    (void)key;
    if (path && !line_has_disk(line, path))
        line_add(line, NEED_FILE, path);
}

enum {
    NODES_MAX = 8 /* one above another */
};

struct node_search {
    const struct keyvals *kv;
    const char *node;
    bool found;
};

static void look_at_node(void *arg, const char *prefix)
{
    struct node_search *search = arg;
    AUTO_FREE char *key = formatted("%snode-name", prefix);

    search->found = search->found || is(keyvals_get(search->kv, key), search->node);
}

/* The file of the node that a -blockdev stands on; NULL: not known. The caller frees it. */
static char *file_of_node(const struct needs_line *line, const char *node)
{
    AUTO_FREE char *name = must(strdup(node));
    struct option_step step = { .rest = line->words->child };

    for (int references = 0; references < NODES_MAX && option_next(line->table, &step, NULL);) {
        AUTO_KEYVALS struct keyvals kv = { 0 };
        AUTO_PLACE struct image_place place = { 0 };
        struct node_search search = { .kv = &kv, .node = name };

        if (!is(step.name, "blockdev") || !keyvals_parse(step.value, &kv, NULL) ||
            !image_place_find(&kv, false, &place))
            continue;
        image_place_each(&place, look_at_node, &search);
        if (!search.found)
            continue;
        if (!place.refers)
            return must(strdup(keyvals_get(&kv, place.key)));
        free(name);
        name = must(strdup(keyvals_get(&kv, place.key)));
        step.rest = line->words->child;
        references++;
    }
    return NULL;
}

struct formats {
    const struct image_place *place;
    const struct keyvals *kv;
    bool may_lead; /* to other files than the one that is named */
};

static bool leads(const char *driver)
{
    static const char *const leading[] = { "qcow2", "qcow",      "qed",   "vmdk",  "vdi", "vhdx",
                                           "vpc",   "parallels", "bochs", "cloop", "dmg", NULL };

    return word_is_among(driver, leading);
}

/* The driver of any node, also of one that lies where no image is looked for. */
static void look_at_driver(void *arg, const char *driver)
{
    bool *may_lead = arg;

    *may_lead |= leads(driver);
}

static void look_at_name(void *arg, const char *name)
{
    bool *found = arg;

    (void)name;
    *found = true;
}

/* A -drive finds a format by itself where none is said, and -blockdev takes no word for unsaid. */
static void look_at_format(void *arg, const char *prefix)
{
    struct formats *formats = arg;
    const struct image_place *place = formats->place;
    const char *driver = image_place_driver(place, formats->kv, prefix);
    bool opens = !place->refers && !strcmp(prefix, place->opener);

    if (!place->is_drive)
        formats->may_lead |= leads(driver);
    else if (driver)
        formats->may_lead |= !format_is_plain(driver) && !block_is_filter(driver);
    else if (!opens || !*prefix)
        formats->may_lead = true;
    else /* what lies right beneath a filter can be of any format */
        formats->may_lead |= strcmp(prefix, "file.") != 0 ||
                             block_is_filter(image_place_driver(place, formats->kv, ""));
}

/* An image that was not found is not a file, or has a node of a format, or a name, too deep to be
 * looked at.
 */
static void need_no_image(const struct needs_line *line, const struct keyvals *kv, bool may_lead)
{
    bool is_named = false;

    keyvals_each_of(kv, "file", look_at_name, &is_named);
    keyvals_each_of(kv, "filename", look_at_name, &is_named);
    if (may_lead || is_named)
        line_add(line, NEED_UNKNOWN,
                 "an image in a network or within many nodes, which may lead to other files");
}

static void need_format(const struct needs_line *line, const struct keyvals *kv)
{
    AUTO_PLACE struct image_place place = { 0 };
    struct formats formats = { .place = &place, .kv = kv };
    AUTO_FREE char *found = NULL;
    AUTO_FREE char *text = NULL;
    const char *path;

    keyvals_each_of(kv, "driver", look_at_driver, &formats.may_lead);
    keyvals_each_of(kv, "format", look_at_driver, &formats.may_lead);
    if (!image_place_find(kv, !is(line->option, "blockdev"), &place)) {
        need_no_image(line, kv, formats.may_lead);
        return;
    }
    image_place_each(&place, look_at_format, &formats);
    found = place.refers ? file_of_node(line, keyvals_get(kv, place.key)) : NULL;
    path = found ? found : keyvals_get(kv, place.key);
    if (!formats.may_lead || line_has_disk(line, path) || !strncmp(path, "/usr/share/", 11))
        return;
    text = formatted("'%s', which may lead to other files: it is not said to be raw", path);
    line_add(line, NEED_UNKNOWN, text);
}

static void need_image(const struct needs_line *line, const struct keyvals *kv)
{
    if (is_drive(line))
        need_format(line, kv);
    if (is_drive(line) && is_written(line, kv))
        line_visit(line, kv, visit_image);
}

void line_need_images(struct needs_line *line)
{
    line_each(line, need_image);
}

/* A line's values that look like paths. */
#include "host/needs/line.h"

#include "qmp/argv/rewriting.h"

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
    const cJSON *disk;

    cJSON_ArrayForEach (disk, line->disks)
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

void line_need_text(const struct needs_line *line, const char *key, const char *text)
{
    static const char *const read[] = { "kernel", "initrd",     "dtb", "shim",
                                        "bios",   "option-rom", "L",   NULL };
    const char *path = path_in(text);
    bool is_own = line->own && word_is_among(path, line->own);
    bool is_free = (is(line->option, "fw_cfg") && is(key, "string")) ||
                   (is(line->option, "smbios") && is(key, "value"));

    if (!strncmp(text, "json:", 5) || strstr(text, "://"))
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
    static const char *const drives[] = { "drive", "blockdev", "hda", "hdb",    "hdc",
                                          "hdd",   "fda",      "fdb", "pflash", "mtdblock",
                                          "sd",    "",         NULL };
    const char *node = keyvals_get(kv, "node-name");

    if (!word_is_among(line->option, drives) || is(keyvals_get(kv, "media"), "cdrom"))
        return false;
    return !keyvals_flag(kv, "readonly") && !keyvals_flag(kv, "read-only") &&
           !(node && has_readers_only(line, node));
}

static void visit_image(const struct needs_line *line, const char *key, const char *text)
{
    const char *path = path_in(text);

    (void)key;
    if (path && !line_has_disk(line, path))
        line_add(line, NEED_FILE, path);
}

static void need_image(const struct needs_line *line, const struct keyvals *kv)
{
    if (is_written(line, kv))
        line_visit(line, kv, visit_image);
}

void line_need_images(struct needs_line *line)
{
    line_each(line, need_image);
}

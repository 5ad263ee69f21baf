/* The engine: walk along a QEMU's command line, and do with each option what its row says. */
#include "qmp/argv/rewriting.h"

#include <stdarg.h>

#include "xmig/paths.h"
#include "xmig/text.h"

/* ---- what the target is given ---- */

void rewriting_emit(struct rewriting *r, const char *option, const char *value)
{
    AUTO_FREE char *word = formatted("-%s", option);

    cJSON_AddItemToArray(r->result->words, must(cJSON_CreateString(word)));
    if (value)
        cJSON_AddItemToArray(r->result->words, must(cJSON_CreateString(value)));
}

void rewriting_emit_keyvals(struct rewriting *r, const char *option, const struct keyvals *kv)
{
    AUTO_FREE char *value = keyvals_print(kv);

    rewriting_emit(r, option, value);
}

bool rewriting_keep(struct rewriting *r, const char *value, struct error *err)
{
    (void)err;
    rewriting_emit(r, r->option, value);
    return true;
}

bool rewriting_drop(struct rewriting *r, const char *value, struct error *err)
{
    (void)r;
    (void)value;
    (void)err;
    return true;
}

bool rewriting_refuse(struct rewriting *r, const char *value, struct error *err)
{
    return error_set(err, ERROR_REFUSED, "%s '-%s%s%s' cannot be moved", r->table->holder,
                     r->option, value ? " " : "", value ? value : "");
}

/* ---- what must be so at the target ---- */

void rewriting_note(struct rewriting *r, const char *format, ...)
{
    AUTO_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    text = vformatted(format, args);
    va_end(args);
    cJSON_AddItemToArray(r->result->notes, must(cJSON_CreateString(text)));
}

void rewriting_list(cJSON *array, const char *text)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, array)
        if (!strcmp(item->valuestring, text))
            return;
    cJSON_AddItemToArray(array, must(cJSON_CreateString(text)));
}

static char *absolute_path(const struct rewriting *r, const char *path)
{
    return r->cwd ? path_absolute(r->cwd, path) : must(strdup(path));
}

char *rewriting_connect(struct rewriting *r, const char *path)
{
    char *absolute = absolute_path(r, path);

    rewriting_list(r->result->connects, absolute);
    return absolute;
}

char *rewriting_other(struct rewriting *r, const char *path)
{
    char *absolute = absolute_path(r, path);

    rewriting_list(r->result->others, absolute);
    return absolute;
}

char *rewriting_execute(struct rewriting *r, const char *path)
{
    char *absolute = rewriting_need(r, path);

    rewriting_list(r->result->programs, absolute);
    return absolute;
}

char *rewriting_need(struct rewriting *r, const char *path)
{
    char *absolute = absolute_path(r, path);

    rewriting_list(r->result->needs, absolute);
    return absolute;
}

static char *list_renamed(struct rewriting *r, const char *path, cJSON *array)
{
    AUTO_FREE char *absolute = absolute_path(r, path);
    char *target = path_renamed(absolute, r->name, r->new_name);

    rewriting_list(array, target);
    return target;
}

char *rewriting_write(struct rewriting *r, const char *path)
{
    return list_renamed(r, path, r->result->outputs);
}

char *rewriting_pipe(struct rewriting *r, const char *path)
{
    char *target = list_renamed(r, path, r->result->pipes);

    rewriting_note(r, "named pipes '%s': made at the target if they are not there", target);
    return target;
}

char *rewriting_listen(struct rewriting *r, const char *path)
{
    return list_renamed(r, path, r->result->sockets);
}

void rewriting_path_key(struct rewriting *r, struct keyvals *kv, const char *key,
                        rewriting_path *becomes)
{
    const char *path = keyvals_get(kv, key);
    AUTO_FREE char *target = path ? becomes(r, path) : NULL;

    if (target)
        keyvals_set(kv, key, target);
}

static bool is_listed(const cJSON *array, const char *text)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, array)
        if (!strcmp(item->valuestring, text))
            return true;
    return false;
}

bool argv_result_lists(const struct argv_result *result, const char *path)
{
    return is_listed(result->needs, path) || is_listed(result->outputs, path) ||
           is_listed(result->sockets, path) || is_listed(result->connects, path) ||
           is_listed(result->pipes, path) || is_listed(result->searched, path) ||
           is_listed(result->others, path);
}

static void list_other(void *arg, const char *value)
{
    struct rewriting *r = arg;

    if (*value == '/' && !argv_result_lists(r->result, value))
        rewriting_list(r->result->others, value);
}

void rewriting_other_paths(struct rewriting *r, const struct keyvals *kv)
{
    keyvals_each(kv, list_other, r);
}

bool word_is_among(const char *text, const char *const words[])
{
    for (size_t i = 0; text && words[i]; i++)
        if (!strcmp(words[i], text))
            return true;
    return false;
}

bool word_begins_among(const char *text, const char *const prefixes[])
{
    for (size_t i = 0; text && prefixes[i]; i++)
        if (!strncmp(text, prefixes[i], strlen(prefixes[i])))
            return true;
    return false;
}

/* ---- along the line ---- */

static bool change(struct rewriting *r, const struct option_row *row, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(r->value, &kv, err) || !row->change(r, &kv, err))
        return false;
    rewriting_emit_keyvals(r, r->option, &kv);
    return true;
}

static bool rewrite(struct rewriting *r, const struct option_row *row, const char *value,
                    struct error *err)
{
    r->option = row->name;
    r->value = value;
    return row->change ? change(r, row, err) : row->rewrite(r, value, err);
}

bool rewriting_option(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    return rewrite(r, option_find(r->table, option), value, err);
}

/* If an option has added words, of which there were `before`, its new value is the last of them. */
static void note_renamed(struct rewriting *r, const char *value, int before)
{
    const cJSON *words = r->result->words;
    const cJSON *last = cJSON_GetArrayItem(words, cJSON_GetArraySize(words) - 1);

    if (cJSON_GetArraySize(words) > before && strcmp(last->valuestring, value) != 0)
        cJSON_AddStringToObject(r->renamed, value, last->valuestring);
}

static bool rewrite_all(struct rewriting *r, const cJSON *words, struct error *err)
{
    struct option_step step = { .rest = words->child };

    while (step.rest) {
        int before = cJSON_GetArraySize(r->result->words);

        if (!option_next(r->table, &step, err) ||
            !error_goes_on(err, rewrite(r, step.row, step.value, err)))
            return false;
        if (r->renamed && step.value)
            note_renamed(r, step.value, before);
    }
    return true;
}

/* ---- the result ---- */

/* Do something to each array of the result. */
static void each(struct argv_result *result, void (*act)(cJSON **array))
{
    cJSON **arrays[] = { &result->words,    &result->needs,    &result->outputs,  &result->sockets,
                         &result->connects, &result->programs, &result->bridges,  &result->searched,
                         &result->audio,    &result->ports,    &result->pidfiles, &result->others,
                         &result->notes,    &result->peers,    &result->pipes };

    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
        act(arrays[i]);
}

static void create(cJSON **array)
{
    *array = must(cJSON_CreateArray());
}

bool rewriting_run(struct rewriting *r, const cJSON *words, struct error *err)
{
    int refused = error_aside(err);

    *r->result = (struct argv_result){ 0 };
    each(r->result, create);
    return rewrite_all(r, words, err) && error_none_since(err, refused);
}

void argv_result_done(struct argv_result *result)
{
    each(result, cleanup_json);
    *result = (struct argv_result){ 0 };
}

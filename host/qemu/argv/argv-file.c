/* Options that name files: those that QEMU reads, those that it writes. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/qemu/argv/argv-rewrite.h"
#include "xmig/paths.h"

void rewriting_emit(struct rewriting *r, const char *option, const char *value)
{
    AUTO_FREE char *word = NULL;

    if (asprintf(&word, "-%s", option) < 0)
        abort();
    cJSON_AddItemToArray(r->result->words, must(cJSON_CreateString(word)));
    if (value)
        cJSON_AddItemToArray(r->result->words, must(cJSON_CreateString(value)));
}

void rewriting_emit_keyvals(struct rewriting *r, const char *option, const struct keyvals *kv)
{
    AUTO_FREE char *value = keyvals_print(kv);

    rewriting_emit(r, option, value);
}

void rewriting_note(struct rewriting *r, const char *format, ...)
{
    AUTO_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    cJSON_AddItemToArray(r->result->notes, must(cJSON_CreateString(text)));
}

static void list(cJSON *array, const char *path)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, array)
        if (!strcmp(item->valuestring, path))
            return;
    cJSON_AddItemToArray(array, must(cJSON_CreateString(path)));
}

char *rewriting_need(struct rewriting *r, const char *path)
{
    char *absolute = path_absolute(r->vm->cwd, path);

    list(r->result->needs, absolute);
    return absolute;
}

static char *renamed(struct rewriting *r, const char *path)
{
    AUTO_FREE char *absolute = path_absolute(r->vm->cwd, path);

    return path_renamed(absolute, r->vm->name, r->vm->new_name);
}

char *rewriting_write(struct rewriting *r, const char *path)
{
    char *target = renamed(r, path);

    list(r->result->outputs, target);
    return target;
}

char *rewriting_listen(struct rewriting *r, const char *path)
{
    char *target = renamed(r, path);

    list(r->result->sockets, target);
    return target;
}

char *rewriting_connect(struct rewriting *r, const char *path)
{
    return path_absolute(r->vm->cwd, path);
}

void rewriting_need_key(struct rewriting *r, struct keyvals *kv, const char *key)
{
    const char *path = keyvals_get(kv, key);
    AUTO_FREE char *absolute = path ? rewriting_need(r, path) : NULL;

    if (absolute)
        keyvals_set(kv, key, absolute);
}

void rewriting_write_key(struct rewriting *r, struct keyvals *kv, const char *key)
{
    const char *path = keyvals_get(kv, key);
    AUTO_FREE char *target = path ? rewriting_write(r, path) : NULL;

    if (target)
        keyvals_set(kv, key, target);
}

static bool exists(const struct rewriting *r, const char *path)
{
    AUTO_FREE char *absolute = path_absolute(r->vm->cwd, path);

    return access(absolute, F_OK) == 0;
}

static bool is_directory(const struct rewriting *r, const char *path)
{
    AUTO_FREE char *absolute = path_absolute(r->vm->cwd, path);
    struct stat st;

    return stat(absolute, &st) == 0 && S_ISDIR(st.st_mode);
}

void rewriting_searched_file(struct rewriting *r, struct keyvals *kv, const char *key)
{
    const char *name = keyvals_get(kv, key);

    if (!*name)
        return; /* "romfile=": none at all */
    if (exists(r, name))
        rewriting_need_key(r, kv, key);
    else
        list(r->result->searched, name);
}

/* ---- the rewriters ---- */

bool rewrite_input(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_FREE char *path = exists(r, value) ? rewriting_need(r, value) : must(strdup(value));

    (void)err;
    if (!strcmp(option, "bios") && *path != '/')
        list(r->result->searched, path);
    rewriting_emit(r, option, path);
    return true;
}

bool rewrite_option_rom(struct rewriting *r, const char *option, const char *value,
                        struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *file;

    if (!keyvals_parse(value, &kv, err))
        return false;
    file = keyvals_get_implied(&kv, "romfile");
    if (file && exists(r, file)) {
        AUTO_FREE char *path = rewriting_need(r, file);

        keyvals_set_implied(&kv, "romfile", path);
    } else if (file) {
        list(r->result->searched, file);
    }
    rewriting_emit_keyvals(r, option, &kv);
    return true;
}

bool rewrite_inputs_within(struct rewriting *r, const char *option, const char *value,
                           struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, err))
        return false;
    rewriting_need_key(r, &kv, "file");
    rewriting_need_key(r, &kv, "path");
    rewriting_emit_keyvals(r, option, &kv);
    return true;
}

/* Several files, separated by colons. */
static void need_list(struct rewriting *r, struct keyvals *kv, const char *key)
{
    const char *value = keyvals_get(kv, key);
    AUTO_FREE char *copy = NULL;
    AUTO_FREE char *paths = NULL;
    char *rest;
    const char *part;

    if (!value)
        return;
    rest = copy = must(strdup(value));
    while ((part = strsep(&rest, ":"))) {
        AUTO_FREE char *absolute = rewriting_need(r, part);
        char *joined;

        if (asprintf(&joined, "%s%s%s", paths ? paths : "", paths ? ":" : "", absolute) < 0)
            abort();
        free(paths);
        paths = joined;
    }
    keyvals_set(kv, key, paths);
}

bool rewrite_acpitable(struct rewriting *r, const char *option, const char *value,
                       struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, err))
        return false;
    need_list(r, &kv, "file");
    need_list(r, &kv, "data");
    rewriting_emit_keyvals(r, option, &kv);
    return true;
}

bool rewrite_trace(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, err))
        return false;
    rewriting_need_key(r, &kv, "events");
    rewriting_write_key(r, &kv, "file");
    rewriting_emit_keyvals(r, option, &kv);
    return true;
}

/* A directory of huge pages, or a file that holds the memory. */
bool rewrite_mem_path(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_FREE char *path =
        is_directory(r, value) ? rewriting_need(r, value) : rewriting_write(r, value);

    (void)err;
    rewriting_emit(r, option, path);
    return true;
}

bool rewrite_pidfile(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_FREE char *path = rewriting_write(r, value);

    (void)err;
    list(r->result->pidfiles, path);
    rewriting_emit(r, option, path);
    return true;
}

/* QEMU would empty the file, if the target has one of an earlier run. */
bool rewrite_log(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    (void)option;
    (void)err;
    rewriting_note(r, "what QEMU logs (-D %s) goes into the log that xmig keeps of it", value);
    return true;
}

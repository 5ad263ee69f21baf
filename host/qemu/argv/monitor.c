/* Options of character devices that are not as those of every QEMU: xmig's own monitor is left out,
 * and a file is appended to.
 */
#include "host/qemu/argv/rewriters.h"
#include "xmig/text.h"

static bool is_own_monitor(const char *id)
{
    return id && !strcmp(id, ARGV_OWN_MONITOR);
}

bool rewrite_chardev(struct rewriting *r, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, err))
        return false;
    if (is_own_monitor(keyvals_get(&kv, "id")))
        return true;
    if (rewriting_is_of_tpm(qemu_of(r), &kv))
        rewriting_path_key(r, &kv, "path", rewriting_listen);
    else if (!rewriting_chardev(r, &kv, err))
        return false;
    rewriting_emit_keyvals(r, r->option, &kv);
    return true;
}

bool rewrite_mon(struct rewriting *r, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, err))
        return false;
    return is_own_monitor(keyvals_get_implied(&kv, "chardev")) || rewriting_keep(r, value, err);
}

/* Options that accept "chardev:ID". (-debugcon does, too, but then looks for another ID.) */
static const char *const take_chardev[] = { "serial", "parallel",   "monitor",
                                            "qmp",    "qmp-pretty", NULL };

static int count_options(const struct rewriting *r)
{
    const cJSON *word;
    int count = 0;

    cJSON_ArrayForEach (word, r->result->words)
        count += *word->valuestring == '-' && !strcmp(word->valuestring + 1, r->option);
    return count;
}

/* As QEMU calls it: "serial0". Monitors are counted otherwise, and nothing asks for their names. */
static char *device_name(const struct rewriting *r)
{
    if (!strcmp(r->option, "serial") || !strcmp(r->option, "parallel"))
        return formatted("%s%d", r->option, count_options(r));
    return formatted("xmig-file-%d", cJSON_GetArraySize(r->result->words));
}

/* The short form has no word for "append": the long one takes its place. */
static void emit_file(struct rewriting *r, const char *file)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    AUTO_FREE char *path = rewriting_write(r, file);
    AUTO_FREE char *id = device_name(r);
    AUTO_FREE char *device = formatted("chardev:%s", id);

    keyvals_parse("file", &kv, NULL);
    keyvals_set(&kv, "id", id);
    keyvals_set(&kv, "path", path);
    keyvals_set_flag(&kv, "append", true);
    rewriting_emit_keyvals(r, "chardev", &kv);
    rewriting_emit(r, r->option, device);
}

bool rewrite_character_device(struct rewriting *r, const char *value, struct error *err)
{
    if (strncmp(value, "file:", 5) != 0 || !word_is_among(r->option, take_chardev))
        return rewriting_character_device(r, value, err);
    emit_file(r, value + 5);
    return true;
}

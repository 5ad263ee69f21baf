/* A command line with the options of its -readconfig files in the place of -readconfig. */
#include "host/qemu/argv/rewriters.h"
#include "xmig/paths.h"

enum {
    MOST_FILES = 16 /* the rest stays as it is said, and is refused */
};

/* NULL: that is not known, for where a relative path begins is not. */
static char *path_of(const char *cwd, const char *path)
{
    return *path == '/' || cwd ? path_absolute(cwd, path) : NULL;
}

static void copy_until(cJSON *to, const cJSON **word, const cJSON *end)
{
    for (; *word && *word != end; *word = (*word)->next)
        cJSON_AddItemToArray(to, must(cJSON_Duplicate(*word, false)));
}

/* The word before the one that has the value: the option itself. */
static const cJSON *option_word(const cJSON *from, const char *value)
{
    while (from->next && from->next->valuestring != value)
        from = from->next;
    return from;
}

cJSON *argv_expand(const cJSON *words, const char *cwd, cJSON *files)
{
    cJSON *expanded = must(cJSON_CreateArray());
    struct option_step step = { .rest = words->child };
    const cJSON *word = words->child;
    int count = 0;

    while (option_next(&qemu_options, &step, NULL)) {
        bool is_config = !strcmp(step.name, "readconfig") && count < MOST_FILES;
        AUTO_FREE char *path = is_config ? path_of(cwd, step.value) : NULL;
        AUTO_JSON cJSON *found = path ? config_words(path, NULL) : NULL;

        count += path != NULL;
        if (!found)
            continue;
        copy_until(expanded, &word, option_word(word, step.value));
        while (found->child)
            cJSON_AddItemToArray(expanded, cJSON_DetachItemFromArray(found, 0));
        word = step.rest;
        if (files)
            cJSON_AddItemToArray(files, must(cJSON_CreateString(path)));
    }
    copy_until(expanded, &word, NULL);
    return expanded;
}

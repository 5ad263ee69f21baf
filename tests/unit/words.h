/* A command line as a text, and back. */
#ifndef TESTS_UNIT_WORDS_H
#define TESTS_UNIT_WORDS_H

#include "tests/unit/helpers.h"
#include "xmig/json.h"

/* A command line split at spaces; "" is none. */
static inline cJSON *words(const char *line)
{
    cJSON *array = must(cJSON_CreateArray());
    AUTO_FREE char *copy = must(strdup(line));
    char *rest = copy;
    const char *word;

    while ((word = strsep(&rest, " ")))
        if (*word)
            cJSON_AddItemToArray(array, must(cJSON_CreateString(word)));
    return array;
}

static inline char *joined(const cJSON *array)
{
    const cJSON *item;
    char *text = NULL;
    size_t len;
    FILE *out = must(open_memstream(&text, &len));

    cJSON_ArrayForEach (item, array)
        fprintf(out, "%s%s", item->prev->next ? " " : "", item->valuestring);
    fclose(out);
    return must(text);
}

#endif

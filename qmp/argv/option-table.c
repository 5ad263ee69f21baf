/* Walk along a QEMU's command line: which word is an option, which is its value. */
#include "qmp/argv/option-table.h"

const struct option_row *option_find(const struct option_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (!strcmp(table->rows[i].name, name))
            return &table->rows[i];
    return NULL;
}

/* The option's name: QEMU takes "-name" and "--name". NULL: the word is no option. */
static const char *without_dashes(const char *word)
{
    if (*word != '-' || !word[1])
        return NULL;
    return word + (word[1] == '-' ? 2 : 1);
}

/* Does an unknown option take the next word? It does if that looks like no option. */
static bool looks_like_value(const cJSON *word)
{
    return cJSON_IsString(word) && !without_dashes(word->valuestring);
}

static bool refuse_unknown(const struct option_table *table, const char *word, struct error *err)
{
    return error_set(err, ERROR_REFUSED,
                     "xmig does not know %s option '%s', and so not whether %s can be moved with "
                     "it",
                     table->owner, word, table->mover);
}

/* A lookup steps over what the table does not have: more may follow. */
static bool step_over_unknown(const struct option_table *table, struct option_step *step)
{
    if (*step->name && looks_like_value(step->rest))
        step->rest = step->rest->next;
    return option_next(table, step, NULL);
}

bool option_next(const struct option_table *table, struct option_step *step, struct error *err)
{
    const cJSON *word = step->rest;
    const char *name = cJSON_IsString(word) ? without_dashes(word->valuestring) : NULL;
    const char *known_as = name ? name : table->bare;

    if (!word)
        return false;
    if (!cJSON_IsString(word) || (word->next && !cJSON_IsString(word->next)))
        return error_set(err, ERROR_REFUSED, "a word of %s command line is no text", table->owner);
    *step = (struct option_step){ .rest = word->next,
                                  .row = known_as ? option_find(table, known_as) : NULL,
                                  .name = name ? name : "",
                                  .value = name ? NULL : word->valuestring };
    if (!step->row)
        return err ? refuse_unknown(table, word->valuestring, err) : step_over_unknown(table, step);
    if (!name || !step->row->takes_value)
        return true;
    if (!step->rest)
        return error_set(err, ERROR_REFUSED, "%s option '%s' has no value", table->owner,
                         word->valuestring);
    step->value = step->rest->valuestring;
    step->rest = step->rest->next;
    return true;
}

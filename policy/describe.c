/* A policy in words. */
#include "policy/policy.h"
#include "xmig/text.h"

/* The caller frees it. */
static char *value_of(const struct setting *setting)
{
    char *text = must(strdup(setting->words || !setting->value ? "" : setting->value));
    const cJSON *word;

    cJSON_ArrayForEach (word, setting->words) {
        AUTO_FREE char *before = text;

        text = formatted("%s%s%s", before, *before ? ", " : "", word->valuestring);
    }
    return text;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static char *sentence(const struct key_row *row, const struct setting *setting)
{
    bool is_none = setting->words ? !setting->words->child : !setting->is_limit;
    AUTO_FREE char *value = value_of(setting);

    if (row->type == TYPE_YES)
        is_none = !setting->number;
    return formatted(is_none ? row->says_none : row->says, value);
}
#pragma GCC diagnostic pop

cJSON *policy_describe(const struct policy *policy)
{
    cJSON *lines = must(cJSON_CreateArray());

    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct setting *setting = policy->settings[i];
        AUTO_FREE char *text = sentence(&key_rows[i], setting);
        cJSON *line = must(cJSON_CreateObject());

        cJSON_AddItemToArray(lines, line);
        cJSON_AddStringToObject(line, "key", key_rows[i].name);
        cJSON_AddStringToObject(line, "value", setting->value ? setting->value : "");
        cJSON_AddStringToObject(line, "from", setting->from ? setting->from : "");
        cJSON_AddStringToObject(line, "text", text);
    }
    return lines;
}

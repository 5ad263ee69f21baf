/* QEMU's schema. Commands and the members of their arguments go by their real names;
 * types go by numbers that differ between builds.
 */
#include "qmp/schema.h"

struct qmp_schema {
    cJSON *entities;
};

struct qmp_schema *qmp_schema_new(cJSON *answer)
{
    struct qmp_schema *schema = must(calloc(1, sizeof(*schema)));

    schema->entities = answer;
    return schema;
}

void qmp_schema_free(struct qmp_schema *schema)
{
    if (!schema)
        return;
    cJSON_Delete(schema->entities);
    free(schema);
}

/* The entry of `array` with this name and, unless NULL, this meta-type. */
static const cJSON *find(const cJSON *array, const char *name, const char *meta_type)
{
    const cJSON *item;

    if (!cJSON_IsArray(array))
        return NULL;
    cJSON_ArrayForEach (item, array)
        if (!strcmp(json_string_or(item, "name", ""), name) &&
            (!meta_type || !strcmp(json_string_or(item, "meta-type", ""), meta_type)))
            return item;
    return NULL;
}

bool qmp_schema_knows(const struct qmp_schema *schema, const char *command, const char *argument)
{
    const cJSON *entity = find(schema->entities, command, "command");
    const cJSON *type;

    if (!entity || !argument)
        return entity != NULL;
    type = find(schema->entities, json_string_or(entity, "arg-type", ""), "object");
    return find(cJSON_GetObjectItemCaseSensitive(type, "members"), argument, NULL) != NULL;
}

/* Reading JSON that a stranger wrote. */
#include "xmig/json.h"

#include <math.h>

#include "xmig/text.h"

/* cJSON ends a text at its first NUL, also an escaped one: whatever follows would go unread. */
static bool escapes_nul(const char *text, size_t len)
{
    static const char nul[] = "u0000";

    for (size_t i = 0; i + 1 < len; i++)
        if (text[i] == '\\' && len - ++i >= strlen(nul) && !memcmp(text + i, nul, strlen(nul)))
            return true;
    return false;
}

cJSON *json_parse_object(const char *text, size_t len, struct error *err)
{
    AUTO_JSON cJSON *json = NULL;
    const char *end = NULL;

    if (memchr(text, '\0', len) || escapes_nul(text, len)) {
        error_set(err, ERROR_PROTOCOL, "JSON with a NUL byte");
        return NULL;
    }
    json = cJSON_ParseWithLengthOpts(text, len, &end, 0);
    if (!json) {
        error_set(err, ERROR_PROTOCOL, "not JSON: '%.*s'", (int)(len < 60 ? len : 60), text);
        return NULL;
    }
    while (end < text + len && strchr(" \t\r\n", *end))
        end++;
    if (end != text + len) {
        error_set(err, ERROR_PROTOCOL, "more after the end of a JSON object");
        return NULL;
    }
    if (!cJSON_IsObject(json)) {
        error_set(err, ERROR_PROTOCOL, "JSON, but not an object");
        return NULL;
    }
    return steal(json);
}

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* A name that two members of this object have, borrowed; NULL: none. */
static const char *name_of_two(const cJSON *object)
{
    size_t count = (size_t)cJSON_GetArraySize(object), used = 0;
    AUTO_FREE const char **names = must(calloc(count + 1, sizeof(*names)));
    const cJSON *member;

    cJSON_ArrayForEach (member, object)
        names[used++] = member->string;
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 1; i < count; i++)
        if (!strcmp(names[i - 1], names[i]))
            return names[i];
    return NULL;
}

bool json_check_names(const cJSON *json, struct error *err)
{
    const char *twice = cJSON_IsObject(json) ? name_of_two(json) : NULL;
    const cJSON *child;

    if (twice)
        return error_set(err, ERROR_PROTOCOL, "'%.60s' is there twice", twice);
    cJSON_ArrayForEach (child, json)
        if (!json_check_names(child, err))
            return false;
    return true;
}

const cJSON *json_get(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *json_string(const cJSON *object, const char *name, struct error *err)
{
    const cJSON *item = json_get(object, name);

    if (cJSON_IsString(item))
        return item->valuestring;
    error_set(err, ERROR_PROTOCOL, "'%s' is %s", name, item ? "not a string" : "missing");
    return NULL;
}

/* Is it a whole number that a double holds exactly? */
static bool is_uint(const cJSON *item)
{
    return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= 0x1p53 &&
           floor(item->valuedouble) == item->valuedouble;
}

bool json_uint(const cJSON *object, const char *name, uint64_t *value, struct error *err)
{
    const cJSON *item = json_get(object, name);

    if (!is_uint(item))
        return error_set(err, ERROR_PROTOCOL, "'%s' is %s", name,
                         item ? "not a whole number from 0 to 2^53" : "missing");
    *value = (uint64_t)item->valuedouble;
    return true;
}

const cJSON *json_array(const cJSON *object, const char *name, struct error *err)
{
    const cJSON *item = json_get(object, name);

    if (cJSON_IsArray(item))
        return item;
    error_set(err, ERROR_PROTOCOL, "'%s' is %s", name, item ? "not an array" : "missing");
    return NULL;
}

const cJSON *json_object(const cJSON *object, const char *name, struct error *err)
{
    const cJSON *item = json_get(object, name);

    if (cJSON_IsObject(item))
        return item;
    error_set(err, ERROR_PROTOCOL, "'%s' is %s", name, item ? "not an object" : "missing");
    return NULL;
}

const char *json_string_or(const cJSON *object, const char *name, const char *otherwise)
{
    const cJSON *item = json_get(object, name);

    return cJSON_IsString(item) ? item->valuestring : otherwise;
}

uint64_t json_uint_or(const cJSON *object, const char *name, uint64_t otherwise)
{
    const cJSON *item = json_get(object, name);

    return is_uint(item) ? (uint64_t)item->valuedouble : otherwise;
}

bool json_true(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(json_get(object, name));
}

void json_add_uint(cJSON *object, const char *name, uint64_t value)
{
    const uint64_t most = UINT64_C(1) << 53;

    cJSON_AddNumberToObject(object, name, (double)(value < most ? value : most));
}

cJSON *json_new(const char *name, const char *text)
{
    cJSON *object = must(cJSON_CreateObject());

    cJSON_AddStringToObject(object, name, text);
    return object;
}

cJSON *json_keep(cJSON *kept, cJSON *item)
{
    if (item)
        cJSON_AddItemToArray(kept, item);
    return item;
}

const char *json_keep_text(cJSON *kept, char *text)
{
    cJSON *item = json_keep(kept, must(cJSON_CreateString(text)));

    free(text);
    return item->valuestring;
}

char *json_print(const cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);

    if (!text)
        abort();
    return text;
}

/* The reader and the writer of structs that travel as JSON. */
#include "xmig/fields.h"

#include <inttypes.h>

bool field_is_name(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    size_t len = strspn(text, allowed);

    return len > 0 && len <= FIELD_NAME_MAX && !text[len] && *text != '.';
}

/* ---- reading ---- */

static bool wrong(const struct field *field, const char *what, struct error *err)
{
    return error_set(err, ERROR_PROTOCOL, "'%s' is %s", field->name, what);
}

static bool read_text(const struct field *field, const cJSON *object, void *member,
                      struct error *err)
{
    const char *text = json_string(object, field->name, err);

    if (!text)
        return false;
    if (field->is_valid && !field->is_valid(text))
        return error_set(err, ERROR_PROTOCOL, "'%s' cannot be '%.64s'", field->name, text);
    if (field->kind == FIELD_CHARS && strlen(text) >= field->size)
        return error_set(err, ERROR_PROTOCOL, "'%s' is longer than %zu bytes", field->name,
                         field->size - 1);
    if (field->kind == FIELD_CHARS)
        memcpy(member, text, strlen(text) + 1);
    else
        *(const char **)member = text;
    return true;
}

static bool read_number(const struct field *field, const cJSON *object, uint64_t *member,
                        struct error *err)
{
    if (!json_uint(object, field->name, member, err))
        return false;
    return !field->max || *member <= field->max ||
           error_set(err, ERROR_PROTOCOL, "'%s' is %" PRIu64 ", and may be %" PRIu64 " at most",
                     field->name, *member, field->max);
}

static size_t size_of(const struct field *fields)
{
    size_t size = 0;

    for (; fields->name; fields++)
        if (size < fields->offset + fields->size)
            size = fields->offset + fields->size;
    return size;
}

static bool check_items(const struct field *field, const cJSON *json, struct error *err)
{
    AUTO_FREE void *scratch = field->of ? must(malloc(size_of(field->of))) : NULL;
    const cJSON *item;
    int i = 0;

    cJSON_ArrayForEach (item, json) {
        if (field->of ? !cJSON_IsObject(item) : !cJSON_IsString(item))
            return wrong(field, field->of ? "not all objects" : "not all strings", err);
        if (field->of && !fields_read(field->of, item, scratch, err))
            return error_prefix(err, "%s[%d]", field->name, i);
        i++;
    }
    return true;
}

static bool read_part(const struct field *field, const cJSON *object, void *member,
                      struct error *err)
{
    const cJSON *part = json_object(object, field->name, err);

    return part &&
           (fields_read(field->of, part, member, err) || error_prefix(err, "%s", field->name));
}

static bool read_field(const struct field *field, const cJSON *object, void *member,
                       struct error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, field->name);

    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_CHARS:
        return read_text(field, object, member, err);
    case FIELD_NUMBER:
        return read_number(field, object, member, err);
    case FIELD_FLAG:
        *(bool *)member = cJSON_IsTrue(item);
        return cJSON_IsBool(item) || wrong(field, item ? "not true or false" : "missing", err);
    case FIELD_PART:
        return read_part(field, object, member, err);
    case FIELD_TEXTS:
    case FIELD_EACH:
        *(const cJSON **)member = item;
        return json_array(object, field->name, err) && check_items(field, item, err);
    case FIELD_MAP:
    case FIELD_OBJECT:
        *(const cJSON **)member = item;
        return json_object(object, field->name, err) &&
               (field->kind == FIELD_OBJECT || check_items(field, item, err));
    }
    return false;
}

static bool be_without(const struct field *field, void *member)
{
    if (field->kind == FIELD_NUMBER)
        *(uint64_t *)member = field->otherwise;
    else if (field->kind == FIELD_TEXT)
        *(const char **)member = field->instead;
    return field->optional;
}

bool fields_read(const struct field *fields, const cJSON *object, void *into, struct error *err)
{
    for (const struct field *field = fields; field->name; field++) {
        void *member = (char *)into + field->offset;

        memset(member, 0, field->size);
        if (!cJSON_GetObjectItemCaseSensitive(object, field->name) && be_without(field, member))
            continue;
        if (!read_field(field, object, member, err))
            return false;
    }
    return true;
}

bool fields_get(const struct field *fields, const cJSON *object, void *into)
{
    if (!fields_read(fields, object, into, NULL))
        abort();
    return true;
}

/* ---- writing ---- */

/* NULL: it is as if missing. The caller takes it. */
static cJSON *new_item(const struct field *field, const void *member)
{
    bool always = !field->optional;
    const uint64_t *number = member, most = UINT64_C(1) << 53; /* JSON's limit */

    switch (field->kind) {
    case FIELD_TEXT:
        return *(char *const *)member ? cJSON_CreateString(*(char *const *)member) : NULL;
    case FIELD_CHARS:
        return always || *(const char *)member ? cJSON_CreateString(member) : NULL;
    case FIELD_NUMBER:
        return always || *number != field->otherwise
                   ? cJSON_CreateNumber((double)(*number < most ? *number : most))
                   : NULL;
    case FIELD_FLAG:
        return always || *(const bool *)member ? cJSON_CreateBool(*(const bool *)member) : NULL;
    case FIELD_PART:
        return fields_new(field->of, member);
    case FIELD_TEXTS:
    case FIELD_MAP:
    case FIELD_OBJECT:
    case FIELD_EACH:
        break;
    }
    return cJSON_Duplicate(*(cJSON *const *)member, true);
}

void fields_write(const struct field *fields, const void *from, cJSON *object)
{
    for (const struct field *field = fields; field->name; field++) {
        cJSON *item = new_item(field, (const char *)from + field->offset);

        if (item)
            cJSON_AddItemToObject(object, field->name, item);
        else if (!field->optional)
            abort(); /* a fault of this program, not of anybody's data */
    }
}

cJSON *fields_new(const struct field *fields, const void *from)
{
    cJSON *object = must(cJSON_CreateObject());

    fields_write(fields, from, object);
    return object;
}

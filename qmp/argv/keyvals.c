/* Reading and writing the arguments of QEMU's options. */
#include "qmp/argv/keyvals.h"

#include <inttypes.h>
#include <stdio.h>

#include "xmig/text.h"

/* ---- text ---- */

/* One item, up to an undoubled comma; `*text` is moved behind it. The caller frees it. */
static char *take_item(const char **text)
{
    char *item = must(malloc(strlen(*text) + 1));
    char *out = item;
    const char *in = *text;

    for (; *in; in++) {
        if (*in == ',' && *++in != ',')
            break;
        *out++ = *in;
    }
    *out = '\0';
    *text = in;
    return item;
}

static void add(struct keyvals *kv, char *key, char *value)
{
    kv->items = must(realloc(kv->items, (kv->count + 1) * sizeof(*kv->items)));
    kv->items[kv->count++] = (struct keyval){ key, value };
}

static void parse_item(struct keyvals *kv, const char *item)
{
    const char *equals = strchr(item, '=');

    if (equals)
        add(kv, must(strndup(item, (size_t)(equals - item))), must(strdup(equals + 1)));
    else
        add(kv, NULL, must(strdup(item)));
}

/* QEMU takes JSON's strings in single quotation marks, too; the caller frees it. */
static char *with_double_marks(const char *json)
{
    char *text = must(malloc(2 * strlen(json) + 1));
    char *out = text;
    char mark = 0;

    for (; *json; json++) {
        if (*json == '\\' && json[1] == '\'') {
            *out++ = *++json;
        } else if (*json == '\\' && json[1]) {
            *out++ = *json++;
            *out++ = *json;
        } else if (mark ? *json == mark : *json == '\'' || *json == '"') {
            mark = mark ? 0 : *json;
            *out++ = '"';
        } else {
            if (*json == '"')
                *out++ = '\\';
            *out++ = *json;
        }
    }
    *out = '\0';
    return text;
}

/* What is not JSON may hold a secret, and is not shown. */
static bool parse_json(const char *text, struct keyvals *kv, struct error *err)
{
    AUTO_FREE char *json = with_double_marks(text);

    kv->json = json_parse_object(json, strlen(json), NULL);
    if (!kv->json)
        return error_set(err, ERROR_PROTOCOL, "an option's value begins with '{' and is not JSON");
    if (!json_check_names(kv->json, err)) {
        cJSON_Delete(steal(kv->json));
        return false;
    }
    return true;
}

bool keyvals_parse(const char *text, struct keyvals *kv, struct error *err)
{
    *kv = (struct keyvals){ 0 };
    if (*text == '{')
        return parse_json(text, kv, err);
    while (*text) {
        AUTO_FREE char *item = take_item(&text);

        parse_item(kv, item);
    }
    return true;
}

static void drop_item(struct keyval *item)
{
    free(item->key);
    free(item->value);
}

void keyvals_done(struct keyvals *kv)
{
    for (size_t i = 0; i < kv->count; i++)
        drop_item(&kv->items[i]);
    free(kv->items);
    cJSON_Delete(kv->json);
    *kv = (struct keyvals){ 0 };
}

static void print_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == ',')
            fputc(',', out);
        fputc(*text, out);
    }
}

char *keyvals_print(const struct keyvals *kv)
{
    char *text = NULL;
    size_t len;
    FILE *out;

    if (kv->json)
        return json_print(kv->json);
    out = must(open_memstream(&text, &len));
    for (size_t i = 0; i < kv->count; i++) {
        if (i > 0)
            fputc(',', out);
        if (kv->items[i].key)
            fprintf(out, "%s=", kv->items[i].key);
        print_escaped(out, kv->items[i].value);
    }
    fclose(out);
    return must(text);
}

/* ---- JSON ---- */

/* The object that holds the last part of `*key`, which is moved to that part. */
static cJSON *json_parent(cJSON *object, const char **key)
{
    const char *dot;

    while ((dot = strchr(*key, '.'))) {
        AUTO_FREE char *part = must(strndup(*key, (size_t)(dot - *key)));
        cJSON *child = cJSON_GetObjectItemCaseSensitive(object, part);

        if (!cJSON_IsObject(child))
            break; /* its name may hold dots */
        object = child;
        *key = dot + 1;
    }
    return object;
}

static cJSON *json_item(const struct keyvals *kv, const char *key)
{
    cJSON *parent = json_parent(kv->json, &key);

    return cJSON_GetObjectItemCaseSensitive(parent, key);
}

static void json_set(struct keyvals *kv, const char *key, cJSON *value)
{
    cJSON *parent = json_parent(kv->json, &key);

    if (cJSON_GetObjectItemCaseSensitive(parent, key))
        cJSON_ReplaceItemInObjectCaseSensitive(parent, key, value);
    else
        cJSON_AddItemToObject(parent, key, value);
}

static void json_remove_prefixed(struct keyvals *kv, const char *prefix)
{
    cJSON *parent = json_parent(kv->json, &prefix);
    cJSON *item = parent->child;

    while (item) {
        cJSON *next = item->next;

        if (!strncmp(item->string, prefix, strlen(prefix)))
            cJSON_Delete(cJSON_DetachItemViaPointer(parent, item));
        item = next;
    }
}

/* ---- both ---- */

/* The last one counts, as in QEMU. */
static struct keyval *find(const struct keyvals *kv, const char *key)
{
    for (size_t i = kv->count; i-- > 0;)
        if (kv->items[i].key && !strcmp(kv->items[i].key, key))
            return &kv->items[i];
    return NULL;
}

const char *keyvals_get(const struct keyvals *kv, const char *key)
{
    const struct keyval *item;

    if (kv->json)
        return cJSON_GetStringValue(json_item(kv, key));
    item = find(kv, key);
    return item ? item->value : NULL;
}

const char *keyvals_get_implied(const struct keyvals *kv, const char *key)
{
    const char *value = keyvals_get(kv, key);

    if (value || kv->count == 0 || kv->items[0].key)
        return value;
    return kv->items[0].value;
}

static bool has_word(const struct keyvals *kv, const char *word)
{
    for (size_t i = 0; i < kv->count; i++)
        if (!kv->items[i].key && !strcmp(kv->items[i].value, word))
            return true;
    return false;
}

bool keyvals_flag(const struct keyvals *kv, const char *key)
{
    const char *value = keyvals_get(kv, key);

    if (kv->json && !value)
        return cJSON_IsTrue(json_item(kv, key));
    if (value)
        return !strcmp(value, "on") || !strcmp(value, "yes") || !strcmp(value, "true") ||
               !strcmp(value, "y");
    return has_word(kv, key);
}

void keyvals_set(struct keyvals *kv, const char *key, const char *value)
{
    struct keyval *item;

    if (kv->json) {
        json_set(kv, key, must(cJSON_CreateString(value)));
        return;
    }
    item = find(kv, key);
    if (!item) {
        add(kv, must(strdup(key)), must(strdup(value)));
        return;
    }
    free(item->value);
    item->value = must(strdup(value));
}

void keyvals_set_number(struct keyvals *kv, const char *key, uint64_t number)
{
    AUTO_FREE char *text = formatted("%" PRIu64, number);

    if (kv->json)
        json_set(kv, key, must(cJSON_CreateRaw(text)));
    else
        keyvals_set(kv, key, text);
}

void keyvals_add(struct keyvals *kv, const char *key, const char *value)
{
    cJSON *list, *item;

    if (!kv->json) {
        add(kv, must(strdup(key)), must(strdup(value)));
        return;
    }
    list = json_item(kv, key);
    if (!list)
        json_set(kv, key, list = must(cJSON_CreateArray()));
    item = json_new("str", value);
    cJSON_AddItemToArray(list, item);
}

void keyvals_set_implied(struct keyvals *kv, const char *key, const char *value)
{
    if (kv->json || kv->count == 0 || kv->items[0].key || keyvals_get(kv, key)) {
        keyvals_set(kv, key, value);
        return;
    }
    free(kv->items[0].value);
    kv->items[0].value = must(strdup(value));
}

void keyvals_set_flag(struct keyvals *kv, const char *key, bool on)
{
    if (kv->json)
        json_set(kv, key, must(cJSON_CreateBool(on)));
    else
        keyvals_set(kv, key, on ? "on" : "off");
}

static bool is_about(const struct keyval *item, const char *key)
{
    if (item->key)
        return !strcmp(item->key, key);
    return !strcmp(item->value, key) ||
           (!strncmp(item->value, "no", 2) && !strcmp(item->value + 2, key));
}

static void remove_at(struct keyvals *kv, size_t i)
{
    drop_item(&kv->items[i]);
    memmove(&kv->items[i], &kv->items[i + 1], (--kv->count - i) * sizeof(*kv->items));
}

void keyvals_remove(struct keyvals *kv, const char *key)
{
    if (kv->json) {
        cJSON *parent = json_parent(kv->json, &key);

        cJSON_DeleteItemFromObjectCaseSensitive(parent, key);
        return;
    }
    for (size_t i = kv->count; i-- > 0;)
        if (is_about(&kv->items[i], key))
            remove_at(kv, i);
}

void keyvals_remove_prefixed(struct keyvals *kv, const char *prefix)
{
    if (kv->json) {
        json_remove_prefixed(kv, prefix);
        return;
    }
    for (size_t i = kv->count; i-- > 0;)
        if (kv->items[i].key && !strncmp(kv->items[i].key, prefix, strlen(prefix)))
            remove_at(kv, i);
}

/* ---- all of it ---- */

/* Is the key `wanted`, or does it end in ".wanted"? NULL: any is. */
static bool is_called(const char *key, const char *wanted)
{
    size_t len = key ? strlen(key) : 0, wanted_len = wanted ? strlen(wanted) : 0;

    if (!wanted)
        return true;
    return len >= wanted_len && !strcmp(key + len - wanted_len, wanted) &&
           (len == wanted_len || key[len - wanted_len - 1] == '.');
}

static void each_in_json(const cJSON *json, const char *wanted,
                         void (*each)(void *arg, const char *value), void *arg)
{
    const cJSON *item;

    if (cJSON_IsString(json) && is_called(json->string, wanted))
        each(arg, json->valuestring);
    cJSON_ArrayForEach (item, json)
        each_in_json(item, wanted, each, arg);
}

void keyvals_each_of(const struct keyvals *kv, const char *key,
                     void (*each)(void *arg, const char *value), void *arg)
{
    each_in_json(kv->json, key, each, arg);
    for (size_t i = 0; i < kv->count; i++)
        if (is_called(kv->items[i].key, key))
            each(arg, kv->items[i].value);
}

void keyvals_each(const struct keyvals *kv, void (*each)(void *arg, const char *value), void *arg)
{
    keyvals_each_of(kv, NULL, each, arg);
}

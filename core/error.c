/* Errors: a kind for programs, a text for people. */
#include "xmig/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "xmig/json.h"

static const char *const kind_names[] = {
    [ERROR_NONE] = "none",         [ERROR_REFUSED] = "refused",     [ERROR_SYSTEM] = "system",
    [ERROR_PROTOCOL] = "protocol", [ERROR_PEER] = "peer",           [ERROR_LOST] = "lost",
    [ERROR_TIMEOUT] = "timeout",   [ERROR_CANCELLED] = "cancelled", [ERROR_CRASH] = "crash",
    [ERROR_USAGE] = "usage",       [ERROR_LIMIT] = "timeout",
};

/* A text that did not fit says so, and does not end in half a character of UTF-8. */
static void mark_truncation(char *text, int length)
{
    char *end = text + ERROR_TEXT_MAX - 4;

    if (length < ERROR_TEXT_MAX)
        return;
    while (end > text && ((unsigned char)*end & 0xc0) == 0x80)
        end--;
    memcpy(end, "...", 4);
}

bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
    va_list args;

    if (!err)
        return false;
    err->kind = kind;
    va_start(args, format);
    mark_truncation(err->text, vsnprintf(err->text, sizeof(err->text), format, args));
    va_end(args);
    return false;
}

bool error_prefix(struct error *err, const char *format, ...)
{
    char joined[ERROR_TEXT_MAX];
    va_list args;
    int used;

    if (!err)
        return false;
    va_start(args, format);
    used = vsnprintf(joined, sizeof(joined), format, args);
    va_end(args);
    if (used < ERROR_TEXT_MAX)
        used += snprintf(joined + used, sizeof(joined) - (size_t)used, ": %s", err->text);
    mark_truncation(joined, used);
    memcpy(err->text, joined, sizeof(joined));
    return false;
}

bool error_append(struct error *err, const char *format, ...)
{
    size_t used;
    va_list args;

    if (!err)
        return false;
    used = strlen(err->text);
    va_start(args, format);
    mark_truncation(err->text,
                    (int)used + vsnprintf(err->text + used, ERROR_TEXT_MAX - used, format, args));
    va_end(args);
    return false;
}

static bool is_aside(const struct error *err)
{
    const cJSON *refusal;

    cJSON_ArrayForEach (refusal, err->refusals)
        if (!strcmp(json_string_or(refusal, "text", ""), err->text))
            return true;
    return false;
}

/* What two checks refuse in the same words is said once. */
static void put_aside(struct error *err)
{
    cJSON *refusal;

    if (is_aside(err))
        return;
    refusal = must(cJSON_CreateObject());
    cJSON_AddStringToObject(refusal, "text", err->text);
    cJSON_AddItemToArray(err->refusals, refusal);
}

bool error_goes_on(struct error *err, bool ok)
{
    if (ok)
        return true;
    if (!err || !err->refusals || err->kind != ERROR_REFUSED)
        return false;
    put_aside(err);
    error_clear(err);
    return true;
}

int error_aside(const struct error *err)
{
    return err && err->refusals ? cJSON_GetArraySize(err->refusals) : 0;
}

bool error_none_since(struct error *err, int before)
{
    AUTO_JSON cJSON *last = NULL;

    if (error_aside(err) <= before)
        return true;
    last = cJSON_DetachItemFromArray(err->refusals, error_aside(err) - 1);
    return error_set(err, ERROR_REFUSED, "%s", json_string_or(last, "text", "?"));
}

bool error_join(struct error *err)
{
    const cJSON *refusal;

    error_clear(err);
    err->kind = ERROR_REFUSED;
    cJSON_ArrayForEach (refusal, err->refusals)
        error_append(err, "%s%s", refusal == err->refusals->child ? "" : "; ",
                     json_string_or(refusal, "text", "?"));
    return false;
}

void error_clear(struct error *err)
{
    err->kind = ERROR_NONE;
    err->text[0] = '\0';
}

const char *error_kind_name(enum error_kind kind)
{
    return kind_names[kind];
}

enum error_kind error_kind_from_name(const char *name)
{
    for (size_t i = 0; name && i < sizeof(kind_names) / sizeof(kind_names[0]); i++)
        if (!strcmp(kind_names[i], name))
            return (enum error_kind)i;
    return ERROR_PEER;
}

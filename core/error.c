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

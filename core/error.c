/* Errors: a kind for programs, a text for people. */
#include "xmig/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/secrets.h"
#include "xmig/json.h"
#include "xmig/text.h"

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

/* Whatever a text is made of, of a command line, of the peer's words, tells no secret. The whole is
 * looked at, for its end may be what a secret is known by.
 */
static void put(char text[ERROR_TEXT_MAX], const char *whole)
{
    AUTO_FREE char *blanked = secrets_blanked(whole);

    mark_truncation(text, snprintf(text, ERROR_TEXT_MAX, "%s", blanked));
}

bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
    AUTO_FREE char *text = NULL;
    va_list args;

    if (!err)
        return false;
    va_start(args, format);
    text = vformatted(format, args);
    va_end(args);
    err->kind = kind;
    put(err->text, text);
    return false;
}

bool error_prefix(struct error *err, const char *format, ...)
{
    AUTO_FREE char *prefix = NULL;
    AUTO_FREE char *joined = NULL;
    va_list args;

    if (!err)
        return false;
    va_start(args, format);
    prefix = vformatted(format, args);
    va_end(args);
    joined = formatted("%s: %s", prefix, err->text);
    put(err->text, joined);
    return false;
}

bool error_append(struct error *err, const char *format, ...)
{
    AUTO_FREE char *more = NULL;
    AUTO_FREE char *joined = NULL;
    va_list args;

    if (!err)
        return false;
    va_start(args, format);
    more = vformatted(format, args);
    va_end(args);
    joined = formatted("%s%s", err->text, more);
    put(err->text, joined);
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

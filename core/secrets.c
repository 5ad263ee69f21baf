/* Secrets in texts. A value ends where its option would, where the quotation in our own text does,
 * or where a program goes on to say what is wrong with it: "-option name=VALUE: REASON".
 */
#include "core/secrets.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

#define BLANKED "***"

static const char *const none[] = { NULL };
static const char *const *names = none;

void secrets_are_called(const char *const called[])
{
    names = called;
}

static bool is_of_name(char character)
{
    return isalnum((unsigned char)character) || character == '-' || character == '_';
}

/* How long is the name of a secret that begins here? 0: none does. */
static size_t name_at(const char *text, const char *begin)
{
    if (text > begin && is_of_name(text[-1]))
        return 0;
    for (size_t i = 0; names[i]; i++) {
        size_t len = strlen(names[i]);

        if (!strncmp(text, names[i], len) && !is_of_name(text[len]))
            return len;
    }
    return 0;
}

/* Does the text quote a whole word that goes on at `at`? */
static bool is_quoted(const char *text, const char *at)
{
    bool quoted = false;

    for (const char *mark = text; mark < at; mark++) {
        bool begins = mark == text || strchr(" (=", mark[-1]);

        if (*mark == '\'' && (quoted ? strchr(" ;:.,)", mark[1]) != NULL : begins))
            quoted = !quoted;
    }
    return quoted;
}

static bool ends_word(const char *mark)
{
    return (*mark == '\'' || *mark == '"') && (!mark[1] || strchr(" ;:.,)", mark[1]));
}

/* "name=VALUE," up to a comma that is not doubled, or a quotation mark that ends the word; of what
 * is within a ':'-separated name of an image, up to the next colon. A reason may follow a word that
 * is not quoted: after the last ": " at which the value can end, for it may have such itself.
 */
static size_t plain_length(const char *value, bool is_within_name, bool has_reason)
{
    const char *at = value, *reason = NULL;

    if (!strncmp(value, BLANKED, strlen(BLANKED)))
        return strlen(BLANKED);
    for (; *at && *at != '\n' && !(is_within_name && *at == ':'); at++) {
        if (*at == ',' && at[1] == ',')
            at++;
        else if (*at == ',' || ends_word(at))
            break;
        if (has_reason && at > value && at[0] == ':' && at[1] == ' ')
            reason = at;
    }
    return (size_t)((reason ? reason : at) - value);
}

/* Within a text of JSON the mark that ends it has a backslash, as that before it has. */
static size_t quoted_length(const char *value)
{
    const char *at = value;
    char quote = value[-1];
    bool is_within = value[-2] == '\\';

    for (; *at && *at != quote; at++) {
        if (is_within && *at == '\\' && at[1] == quote)
            break;
        if (*at == '\\' && at[1])
            at++;
    }
    return (size_t)(at - value);
}

/* What lies between the name and its value in JSON: '": "'. 0: nothing of the kind. */
static size_t json_separator_at(const char *text)
{
    const char *at = text;

    if (*at == '\\') /* JSON within a text of JSON */
        at++;
    if (*at != '"' && *at != '\'')
        return 0;
    at++;
    at += strspn(at, " \t");
    if (*at++ != ':')
        return 0;
    at += strspn(at, " \t\\");
    return *at == '"' || *at == '\'' ? (size_t)(at + 1 - text) : 0;
}

/* How much of a URL is up to its '@', after "://"? 0: it names nobody. */
static size_t user_at(const char *text)
{
    size_t len = strcspn(text, "@/'\" \n");

    return text[len] == '@' ? len : 0;
}

static size_t copy(FILE *out, const char *text, size_t len)
{
    fwrite(text, 1, len, out);
    return len;
}

static size_t blank(FILE *out, size_t len)
{
    if (len)
        fputs(BLANKED, out);
    return len;
}

/* Write what begins at `at`; returns how much of it that was. */
static size_t take(FILE *out, const char *at, const char *begin)
{
    size_t name = name_at(at, begin);
    size_t json = name ? json_separator_at(at + name) : 0;
    bool is_ssh = at - begin >= 3 && !strncmp(at - 3, "ssh", 3); /* a user is no secret there */
    size_t used;

    if (!strncmp(at, "://", 3)) {
        used = copy(out, at, 3);
        return used + (is_ssh ? 0 : blank(out, user_at(at + used)));
    }
    if (name && at[name] == '=') {
        used = copy(out, at, name + 1);
        return used + blank(out, plain_length(at + used, at > begin && at[-1] == ':',
                                              !is_quoted(begin, at)));
    }
    used = copy(out, at, json ? name + json : name ? name : 1);
    return used + (json ? blank(out, quoted_length(at + used)) : 0);
}

char *secrets_blanked(const char *raw)
{
    AUTO_FREE char *text = utf8_only(raw);
    char *blanked = NULL;
    size_t size;
    FILE *out = must(open_memstream(&blanked, &size));

    for (const char *at = text; *at;)
        at += take(out, at, text);
    if (fclose(out))
        abort();
    return must(blanked);
}

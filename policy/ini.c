/* Reads settings, line by line. */
#include "policy/ini.h"

#include "xmig/cleanup.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_comment(char c)
{
    return c == '#' || c == ';';
}

/* `text` without the blanks around it; changes it in place. */
static char *trimmed(char *text)
{
    size_t len;

    while (is_blank(*text))
        text++;
    len = strlen(text);
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

static void cut_comment(char *text)
{
    for (char *c = text; *c; c++)
        if (is_comment(*c) && (c == text || is_blank(c[-1])))
            *c = '\0';
}

/* Refuse control characters: a name or value with one would look like another on a terminal. */
static bool check_bytes(const char *text, size_t size, struct error *err)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 127)
            return error_set(err, ERROR_REFUSED, "a control character (%d) is in this line",
                             text[i]);
    return true;
}

/* Read "[section]". The section's name goes to `*section`, and is the caller's to free. */
static bool take_section(char *text, char **section, struct error *err)
{
    size_t len = strlen(text);
    const char *name;

    if (text[len - 1] != ']')
        return error_set(err, ERROR_REFUSED, "a section is written [NAME]");
    text[len - 1] = '\0';
    name = trimmed(text + 1);
    if (!*name || strpbrk(name, "[]"))
        return error_set(err, ERROR_REFUSED, "a section is written [NAME]");
    free(*section);
    *section = must(strdup(name));
    return true;
}

static bool take_setting(char *text, struct ini_line *line, struct error *err)
{
    char *equals = strchr(text, '=');

    if (!equals)
        return error_set(err, ERROR_REFUSED, "this is neither [SECTION] nor KEY = VALUE");
    *equals = '\0';
    line->key = trimmed(text);
    line->value = trimmed(equals + 1);
    if (!*line->key)
        return error_set(err, ERROR_REFUSED, "a key is missing before '='");
    return line->section || error_set(err, ERROR_REFUSED, "'%s' stands in no section", line->key);
}

/* Read one line, `copy`, which is changed. */
static bool take_line(char *copy, struct ini_line *line, char **section, ini_taker *take, void *arg,
                      struct error *err)
{
    char *text;

    cut_comment(copy);
    text = trimmed(copy);
    if (!*text)
        return true;
    line->key = line->value = NULL;
    if (*text == '[' ? !take_section(text, section, err) : !take_setting(text, line, err))
        return false;
    line->section = *section;
    return take(arg, line, err);
}

bool ini_read(const char *file, const char *text, size_t size, ini_taker *take, void *arg,
              struct error *err)
{
    struct ini_line line = { .file = file };
    AUTO_FREE char *section = NULL;

    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t len = end ? (size_t)(end - text) : size;
        AUTO_FREE char *copy = must(strndup(text, len));

        line.number++;
        if (!check_bytes(text, len, err) || !take_line(copy, &line, &section, take, arg, err))
            return error_prefix(err, "%s:%d", file, line.number);
        text += len + (end != NULL);
        size -= len + (end != NULL);
    }
    return true;
}

/* Reading what QEMU prints when it is asked for help. */
#include <string.h>

#include "host/qemu/argv/known.h"

static bool ends_word(char c)
{
    return !c || strchr(" \t\n\r\",()/", c);
}

/* Is `word` a whole word of the text? */
static bool has_word(const char *text, size_t len, const char *word)
{
    size_t size = strlen(word);
    const char *at = text;

    while ((at = strstr(at, word)) && at + size <= text + len) {
        if ((at == text || ends_word(at[-1])) && ends_word(at[size]))
            return true;
        at++;
    }
    return false;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');

    return end ? end + 1 : NULL;
}

/* "-hda/-hdb file", "--preconfig", "-h or -help" */
static bool names_option(const char *line, const char *option)
{
    size_t len = strcspn(line, " \t\n[");
    size_t size = strlen(option);

    if (*line != '-')
        return false;
    for (const char *at = line; at < line + len; at += 1 + strcspn(at + 1, "/")) {
        const char *name = at + (*at == '/');

        name += strspn(name, "-");
        if (!strncmp(name, option, size) && ends_word(name[size]))
            return true;
    }
    return false;
}

bool known_option(const struct argv_known *known, const char *option)
{
    const char *line = known->help(known->arg, "help", NULL);

    if (!line)
        return true;
    for (; line; line = next_line(line))
        if (names_option(line, option))
            return true;
    return false;
}

bool known_in_option(const struct argv_known *known, const char *option, const char *word)
{
    const char *line = known->help(known->arg, "help", NULL);
    size_t size = strlen(word);
    bool about = false;

    if (!line)
        return true;
    for (; line; line = next_line(line)) {
        size_t len = strcspn(line, "\n");

        if (*line == '-')
            about = names_option(line, option);
        for (const char *at = line; about && (at = strstr(at, word)) && at < line + len; at++)
            if (strchr("[, ", at[-1]) && at[size] == '=')
                return true;
    }
    return false;
}

bool known_in_list(const struct argv_known *known, const char *option, const char *what,
                   const char *word)
{
    const char *text = known->help(known->arg, option, what);

    return !text || has_word(text, strlen(text), word);
}

static bool is_same(char a, char b)
{
    return a == b || (a == '_' && b == '-') || (a == '-' && b == '_');
}

/* "  NAME=<type>", "  NAME[0]=<type>" for NAME, NAME[3] and NAME.3; QEMU takes "_" for "-". */
static bool lists_property(const char *line, const char *property)
{
    line += strspn(line, " ");
    for (; *property; property++, line++) {
        if ((*property == '.' || *property == '[') && (*line == '=' || *line == '['))
            return true;
        if (!is_same(*line, *property))
            return false;
    }
    return *line == '=' || *line == '[';
}

bool known_property(const struct argv_known *known, const char *option, const char *what,
                    const char *property)
{
    const char *line = known->help(known->arg, option, what);

    if (!line || !strstr(line, "=<"))
        return true;
    for (; line; line = next_line(line))
        if (lists_property(line, property))
            return true;
    return false;
}

/* Breaking lines at spaces. */
#include "wrap.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "printable.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    WIDTH = 80 /* of a terminal that does not know its own */
};

size_t wrap_width(FILE *out)
{
    struct winsize size = { 0 };
    int fd = fileno(out);

    if (fd < 0 || !isatty(fd))
        return 0;
    return ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col < 2 ? WIDTH : size.ws_col;
}

size_t wrap_fitting(const char *text, size_t columns)
{
    size_t len = 0;

    for (; text[len]; len++)
        if (((unsigned char)text[len] & 0xc0) != 0x80 && columns-- == 0)
            break;
    return len;
}

/* In UTF-8 only the first byte of a character counts. */
static size_t columns(const char *text, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static bool is_unit(const char *word)
{
    static const char *const units[] = { "ms",  "s",   "min", "h",   "ago",
                                         "KiB", "MiB", "GiB", "TiB", "bytes" };
    size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyzKMGTPB");

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strlen(units[i]) == len && !strncmp(word, units[i], len))
            return true;
    return false;
}

/* How much of it must stay in one line. */
static size_t unbroken(const char *text)
{
    const char *end = strncmp(text, "'xmig ", 6) ? NULL : strchr(text + 1, '\'');
    size_t len = end ? (size_t)(end - text) : 0;

    len += strcspn(text + len, " ");
    while (len && text[len] == ' ' && is_unit(text + len + 1))
        len += 1 + strcspn(text + len + 1, " ");
    return len;
}

void wrap_print(FILE *out, size_t width, size_t indent, const char *raw)
{
    AUTO_FREE char *shown = printable(raw);
    const char *text = shown;
    size_t column = strspn(text, " "), spaces = 0;

    fprintf(out, "%*s", (int)column, "");
    for (text += column; *text; text += spaces) {
        size_t len = unbroken(text), needed = columns(text, len);

        if (spaces && width && column + spaces + needed > width) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else {
            fprintf(out, "%*s", (int)spaces, "");
            column += spaces;
        }
        fwrite(text, 1, len, out);
        column += needed;
        text += len;
        spaces = strspn(text, " ");
    }
    fputc('\n', out);
}

void wrap_say(FILE *out, size_t indent, const char *format, ...)
{
    AUTO_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    text = vformatted(format, args);
    va_end(args);
    wrap_print(out, wrap_width(out), indent, text);
}

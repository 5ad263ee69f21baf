/* Lines that fit a terminal. */
#ifndef XMIG_CMD_WRAP_H
#define XMIG_CMD_WRAP_H

#include <stdio.h>

enum {
    WRAP_INDENT = 4 /* of what goes on in the next line, where nothing else suits better */
};

/* The columns of the terminal that `out` is; 0: it is none, and nothing is broken. */
size_t wrap_width(FILE *out);

/* How many bytes of `text` fit in so many columns. */
size_t wrap_fitting(const char *text, size_t columns);

/* Print `raw`, made printable, as a line; what does not fit in `width` columns goes on in the next
 * one, behind `indent` spaces. A number stays with its unit, and a command in quotes is never
 * broken.
 */
void wrap_print(FILE *out, size_t width, size_t indent, const char *raw);

/* The same, formatted, on `out`, as wide as that is. */
void wrap_say(FILE *out, size_t indent, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

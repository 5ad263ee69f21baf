/* Reads settings: "[section]" and "key = value" lines. Line numbers and long names are kept, which
 * a policy needs: a certificate's fingerprint is the name of a section.
 */
#ifndef XMIG_POLICY_INI_H
#define XMIG_POLICY_INI_H

#include <stddef.h>

#include "xmig/error.h"

/* A line that is neither empty nor a comment. All members are borrowed. */
struct ini_line {
    const char *file;
    int number;
    const char *section;
    const char *key; /* NULL: the section begins here */
    const char *value;
};

typedef bool ini_taker(void *arg, const struct ini_line *line, struct error *err);

/* Give each line to `take`, up to the first that cannot be read or that `take` refuses: `err` then
 * begins with "FILE:NUMBER: ".
 *
 * Blanks around names and values do not count. A line that begins with # or ; is a comment, and so
 * is what follows a blank and one of these.
 */
bool ini_read(const char *file, const char *text, size_t size, ini_taker *take, void *arg,
              struct error *err);

#endif

/* Escapes text from outside before it reaches a terminal. */
#ifndef XMIG_CMD_PRINTABLE_H
#define XMIG_CMD_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* `text` with control characters, and bytes that are not UTF-8, written as \n, \t, \xHH, so that a
 * VM's name or the peer cannot move the cursor or hide a line. The caller frees it.
 */
char *printable(const char *text);

/* The same for `len` bytes of a stream, whose lines stay lines. `*used` of them are shown: what may
 * be the beginning of a character, or of a line's end "\r\n", waits for more, unless `is_end`.
 */
char *printable_lines(const char *bytes, size_t len, bool is_end, size_t *used);

/* The same for JSON, which stays JSON: what is no UTF-8 becomes \ufffd, for a strict reader would
 * refuse all of it.
 */
char *printable_json(const char *json);

#endif

/* Escapes text from outside before it reaches a terminal. */
#ifndef XMIG_CMD_PRINTABLE_H
#define XMIG_CMD_PRINTABLE_H

/* `text` with control characters, and bytes that are not UTF-8, written as \n, \t, \xHH, so that a
 * VM's name or the peer cannot move the cursor or hide a line. The caller frees it.
 */
char *printable(const char *text);

/* The same for JSON, which stays JSON: what is no UTF-8 becomes \ufffd, for a strict reader would
 * refuse all of it.
 */
char *printable_json(const char *json);

#endif

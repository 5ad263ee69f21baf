/* Names and messages from outside, made fit for a terminal. */
#ifndef XMIG_CMD_PRINTABLE_H
#define XMIG_CMD_PRINTABLE_H

/* `text` with all that a terminal obeys, or that is no UTF-8, written as \n, \t, \xHH: whoever
 * named a VM, or speaks from the other host, moves no cursor here and hides no line. The caller
 * frees it.
 */
char *printable(const char *text);

/* The same for JSON, which stays JSON: what is no UTF-8 becomes \ufffd, for a strict reader would
 * refuse all of it.
 */
char *printable_json(const char *json);

#endif

/* What the programs that reach the target say on standard error: ssh, and the shell and xmig there.
 * The words are printed as soon as they come, for somebody may be asked for a password, each line
 * with the host before it, and nothing in them that a terminal would obey.
 */
#ifndef XMIG_CMD_PEER_WORDS_H
#define XMIG_CMD_PEER_WORDS_H

#include "report.h"
#include "xmig/loop.h"

struct peer_words;

/* `from` is the host's name; `report` is borrowed. */
struct peer_words *peer_words_new(struct loop *loop, struct report *report, const char *from);

/* For transport_options.errors. */
int peer_words_fd(const struct peer_words *words);

/* Print what has come and has not been printed yet. */
void peer_words_print(struct peer_words *words);

/* Prints the rest. NULL is fine. */
void peer_words_free(struct peer_words *words);

#endif

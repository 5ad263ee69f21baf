/* Finds the migration that a person means by its id, the beginning of its id, or the name of its
 * VM.
 */
#ifndef XMIG_CMD_FIND_ID_H
#define XMIG_CMD_FIND_ID_H

#include "xmig/journal.h"

/* Does `word` mean this migration? */
bool id_means(const struct journal *journal, const char *word);

/* Find the migration in `state_dir` that `word` means, and write its id to `id`. If several fit and
 * one of them is not finished, that one is meant. A whole id is taken as it is, without a look.
 * False, with ERROR_REFUSED: none fits, or more than one, which the text lists.
 */
bool find_id(const char *state_dir, const struct identity *identity, const char *word, char id[17],
             struct error *err);

#endif

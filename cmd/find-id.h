/* Which migration does a person mean? By its id, the id's beginning, or the VM's name. */
#ifndef XMIG_CMD_FIND_ID_H
#define XMIG_CMD_FIND_ID_H

#include "xmig/journal.h"

/* Does `word` mean this migration? */
bool id_means(const struct journal *journal, const char *word);

/* The id that `word` means of those in `state_dir`; of several that of the one that is not
 * finished. A whole id is taken as it is. False: none (ERROR_REFUSED says so), or more than one,
 * which are listed.
 */
bool find_id(const char *state_dir, const struct identity *identity, const char *word, char id[17],
             struct error *err);

#endif

/* What a finished migration has left on this host: journals and logs, sockets, images of disks. */
#ifndef XMIG_CMD_LEFTOVERS_H
#define XMIG_CMD_LEFTOVERS_H

#include "directories.h"
#include "xmig/journal.h"

/* False: a VM that was moved here runs, and writes its log there (ERROR_REFUSED). */
bool leftovers_are_quiet(const struct directories *directories, const char *id, struct error *err);

/* Remove all but images of a migration of which check_finished() says so. */
bool leftovers_remove(const struct directories *directories, const char *id, struct error *err);

/* Remove sockets whose listening process has ended, and the directory if nothing else is there. */
void leftovers_remove_sockets(const char *directory);

/* Add the images that nobody needs any more to `found`: {"path", "fact", "side"}. */
void leftovers_images(const struct directories *directories, const struct identity *identity,
                      const char *id, cJSON *found);

/* The name that the image of a journal's fact has now; NULL: it has none that can be deleted. */
char *leftovers_name(enum side side, const cJSON *fact, const char *id);

/* Remove what is left of each migration that a receiver closed more than `keep_ms` ago (0: of
 * none), has left no image, and is quiet. `say` gets a line for each, for the log.
 */
void leftovers_prune(const struct directories *directories, uint64_t keep_ms,
                     void (*say)(void *arg, const char *text), void *arg);

#endif

/* Makes directories durably: they are still there after a power failure. */
#ifndef XMIG_DIRECTORY_H
#define XMIG_DIRECTORY_H

#include "xmig/error.h"

/* Make the names of the files in the directory `path` durable. */
bool directory_sync(const char *path, struct error *err);

/* Make a directory, durably, with mode 0700. `*made` is false if the directory was there already,
 * which is no error.
 */
bool directory_make(const char *path, bool *made, struct error *err);

/* Can files be made in the directory `path`, once directory_make_all() has made it if it is
 * missing? Changes nothing. False: ERROR_REFUSED.
 */
bool directory_can_make(const char *path, struct error *err);

/* Make the directory `path` and those above it, as `mkdir -p` does. */
bool directory_make_all(const char *path, struct error *err);

#endif

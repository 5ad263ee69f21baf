/* Directories that are still there after a power failure. */
#ifndef XMIG_DIRECTORY_H
#define XMIG_DIRECTORY_H

#include "xmig/error.h"

/* Make the names in it durable. */
bool directory_sync(const char *path, struct error *err);

/* Make one, durably, mode 0700; `*made` is false when it was there already, which is fine. */
bool directory_make(const char *path, bool *made, struct error *err);

/* Could directory_make_all() make it, or is it there, and can files be made in it? Touches nothing.
 * ERROR_REFUSED.
 */
bool directory_can_make(const char *path, struct error *err);

/* Like mkdir -p. */
bool directory_make_all(const char *path, struct error *err);

#endif

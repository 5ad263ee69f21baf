/* Directories in which nobody else can put, rename or remove files: what xmig makes, and later
 * removes, by a name is then the file that it means.
 */
#ifndef XMIG_HOST_SYSTEM_PRIVATE_DIRECTORY_H
#define XMIG_HOST_SYSTEM_PRIVATE_DIRECTORY_H

#include <sys/types.h>

#include "xmig/error.h"

/**
 * Open the directory `path` (O_PATH), from the root on and without following a link; links of the
 * superuser's, of ours or of `user`'s are resolved before.
 *
 * Its owner, and that of each directory above, must be one of these three. Nobody else may write
 * there (ERROR_REFUSED), unless the directory is sticky, as /tmp is: others can then neither rename
 * nor remove what is made there, and a file is made only where there is none.
 *
 * @return the descriptor, which the caller closes, or -1
 */
int private_directory_open(const char *path, uid_t user, struct error *err);

/* May `user`'s program make, or write to, a file of `type` (S_IFREG, S_IFSOCK) at `path`? Only if
 * its directory is such a place, and nothing is there, or such a file of its own, or, for S_IFREG,
 * a character device. The file is not opened.
 */
bool private_directory_permits(const char *path, uid_t user, mode_t type, struct error *err);

#endif

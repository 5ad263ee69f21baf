/* By its inode and the time of its birth a file is known again after a reboot, when devices may
 * have other numbers; a file that has taken its name is another.
 */
#ifndef XMIG_HOST_SYSTEM_FILE_IDENTITY_H
#define XMIG_HOST_SYSTEM_FILE_IDENTITY_H

#include "xmig/json.h"

/* Add what the file is known by to a fact: of the open `fd`, or of what bears the name `path`
 * itself, a link not followed.
 */
bool file_identity_add_fd(cJSON *fact, int fd, struct error *err);
bool file_identity_add_path(cJSON *fact, const char *path, struct error *err);

/* Does `path` name the very file that the fact knows? */
bool file_identity_has(const char *path, const cJSON *fact);

/* Remove what the fact's "path" names, if that is the very file. True when it is another, or gone.
 */
bool file_identity_remove(const cJSON *fact, struct error *err);

#endif

/* Finds here a file that a process in another mount namespace (a container) has open. */
#ifndef XMIG_HOST_SYSTEM_MOUNTS_H
#define XMIG_HOST_SYSTEM_MOUNTS_H

#include <sys/types.h>

/* The path here of what process `pid` has open as `fd`, and calls `path`; the caller frees it, and
 * checks that it is that file. NULL: there is none.
 */
char *mount_path_here(pid_t pid, int fd, const char *path);

#endif

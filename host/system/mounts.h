/* A file that a process of another mount name space (a container's) has open, as it is called
 * here.
 */
#ifndef XMIG_HOST_SYSTEM_MOUNTS_H
#define XMIG_HOST_SYSTEM_MOUNTS_H

#include <sys/types.h>

/* Where descriptor `fd` of process `pid`, which it calls `path`, may be found on this side of its
 * mounts; the caller frees it. NULL: nowhere. Whether it is that file, the caller sees.
 */
char *mount_path_here(pid_t pid, int fd, const char *path);

#endif

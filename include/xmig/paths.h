/* Paths: absolute, real, and what becomes of them when a VM gets a new name. */
#ifndef XMIG_PATHS_H
#define XMIG_PATHS_H

#include "xmig/error.h"

/* Where the superuser's sockets and locks are; for others see cmd/directories.c. */
#define PATH_RUNTIME "/run/xmig"

/* `path` as seen from the directory `cwd`: absolute, without "." and "..", which are taken
 * out of the text. The caller frees it.
 */
char *path_absolute(const char *cwd, const char *path);

/* The same with symbolic links followed, as far as the file exists. The caller frees it. */
char *path_real(const char *cwd, const char *path);

/**
 * Where a file of VM `old` lies when the VM is called `new` (NULL: the same place).
 *
 * In the same directory: every whole word `old` in the file's name becomes `new`
 * (/vm/web.qcow2 → /vm/web2.qcow2); without one `new` is put before it (/vm/disk.raw →
 * /vm/web2-disk.raw). The caller frees it.
 */
char *path_renamed(const char *path, const char *old, const char *new);

/* Give a file another name, durably, without replacing what may have that name. */
bool path_rename(const char *from, const char *to, struct error *err);

/* Make what was done in the directory of `path` durable. */
bool path_sync_directory(const char *path, struct error *err);

/* The directory of `path`; the caller frees it. */
char *path_directory(const char *path);

#endif

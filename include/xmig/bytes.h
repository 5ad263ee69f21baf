/* Reading and writing descriptors that block, however many calls that takes. */
#ifndef XMIG_BYTES_H
#define XMIG_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* False: errno says why, and a part may have been written. */
bool bytes_write(int fd, const void *bytes, size_t size);

/* How many of the `size` bytes have come: all of them, unless the stream ended before. -1: errno.
 */
ssize_t bytes_read(int fd, void *bytes, size_t size);

/* All that comes until the end or an error, with a NUL after it. The caller frees it. */
char *bytes_read_all(int fd, size_t *size);

/* The first line of a small file, such as those of /proc and /sys, without its newline: `line`,
 * which is "" when the file cannot be read. `path` is relative to the directory `dir`, as for
 * openat(2).
 */
const char *bytes_read_line(int dir, const char *path, char *line, size_t size);

#endif

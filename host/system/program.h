/* Running a helper program (qemu-img, qemu-system-… -machine help) to its end. */
#ifndef XMIG_HOST_SYSTEM_PROGRAM_H
#define XMIG_HOST_SYSTEM_PROGRAM_H

#include "xmig/json.h"
#include "xmig/loop.h"

/* Run `words` (NULL-terminated) and wait. A status other than 0 is an error that ends in the
 * last line that the program wrote.
 *
 * @param output  what it wrote, which the caller frees; NULL: not wanted
 */
bool program_run(struct loop *loop, const char *const words[], char **output, uint64_t timeout_ms,
                 struct error *err);

/* The same, whatever the status is. */
bool program_output(struct loop *loop, const char *const words[], char **output, int *status,
                    uint64_t timeout_ms, struct error *err);

/* All of a file, up to `limit` bytes from its end; the caller frees it. "" if there is none. */
char *program_tail(int fd, size_t limit);

/* The last line of `text` that is not empty, without secrets; the caller frees it. `text` is cut.
 */
char *program_last_line(char *text);

/* The file that `name` means: itself if it has a slash, else looked up in PATH. NULL: there
 * is none that may be executed. The caller frees it.
 */
char *program_find(const char *name);

/* A program of this host's own, which another host has named by `wanted`, with the path that it has
 * there or without: by the last part of that name in PATH, or where distributions have programs
 * that are not for people. A path counts only if it leads to one of these directories. NULL: there
 * is none. The caller frees it.
 */
char *program_find_own(const char *wanted);

#endif

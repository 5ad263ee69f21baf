/* Other processes, named by pid and start time: a pid alone may be reused. */
#ifndef XMIG_PROCESS_H
#define XMIG_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "xmig/error.h"
#include "xmig/json.h"

/* In clock ticks since the machine started (field 22 of /proc/PID/stat), or 0 when there
 * is no such process or it is a zombie.
 */
uint64_t process_start_time(pid_t pid);

/* Does that very process still run (or sleep, or is it stopped)? */
bool process_lives(pid_t pid, uint64_t start_time);

/* The first process of which `is_it(arg, pid)` is true; 0: none. */
pid_t process_find(bool (*is_it)(void *arg, pid_t pid), void *arg);

/* All of /proc/PID/NAME, with a NUL after it; the caller frees it. NULL: errno says why. */
char *process_file(pid_t pid, const char *name, size_t *size);

/* The NUL-terminated words of a command line, as /proc/PID/cmdline has them. The caller frees the
 * array.
 */
cJSON *process_words(const char *line, size_t size);

/* As whom it works (the effective user), which the owner of its files in /proc does not tell;
 * UINT_MAX: nobody knows.
 */
uid_t process_user(pid_t pid);

/* Its file mode creation mask; 022, the usual one, when that cannot be read. */
mode_t process_umask(pid_t pid);

/* Wait for the end of that very process. False: it goes on. UINT64_MAX: however long it takes. */
bool process_await(pid_t pid, uint64_t start_time, uint64_t timeout_ms);

/* SIGKILL that very process and wait for its end. True when it is gone already. */
bool process_kill(pid_t pid, uint64_t start_time, uint64_t timeout_ms, struct error *err);

/* The same by SIGTERM, which lets it put things in order. */
bool process_terminate(pid_t pid, uint64_t start_time, uint64_t timeout_ms, struct error *err);

#endif

/* What a process belongs to: its control groups, and the processes that it descends from. */
#ifndef XMIG_HOST_SYSTEM_PROCESS_PLACE_H
#define XMIG_HOST_SYSTEM_PROCESS_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "xmig/cleanup.h"

enum {
    ANCESTORS_MAX = 16
};

struct ancestor {
    pid_t pid;
    char name[16]; /* the kernel's, which is cut */
};

struct process_place {
    char *groups; /* /proc/PID/cgroup; "": it cannot be read */
    char *unit;   /* the path of the innermost unit of systemd's among them (below a slice);
                   * NULL: none
                   */
    struct ancestor ancestors[ANCESTORS_MAX]; /* the parent first; without process 1 */
    size_t ancestor_count;
};

/* Files are looked for beneath `root`, which is "" but in tests. process_place_done() frees what
 * `place` holds.
 */
void process_place_read(const char *root, pid_t pid, struct process_place *place);
void process_place_done(struct process_place *place);

#endif

/* The words by which xmig starts a process of the VM's: in a systemd scope where there is systemd,
 * by `xmig launch`, and as QEMU's user.
 */
#ifndef XMIG_HOST_QEMU_COPY_LAUNCH_WORDS_H
#define XMIG_HOST_QEMU_COPY_LAUNCH_WORDS_H

#include "host/qemu/copy/copy.h"

struct launch_words {
    char **words; /* NULL-terminated */
    size_t count;
};

/* All that comes before the program. `what` names the scope: "qemu", "swtpm". */
void launch_words_begin(const struct qemu_copy *vm, const char *what, struct launch_words *line);

void launch_words_append(struct launch_words *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void launch_words_done(struct launch_words *line);

#endif

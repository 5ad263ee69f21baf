/* A mirror that nobody completes behind our back, and whose end has QEMU open no file anew. */
#ifndef XMIG_QMP_MIRROR_GUARD_H
#define XMIG_QMP_MIRROR_GUARD_H

#include "qmp/mirror.h"

/**
 * Have QEMU refuse to complete the mirror of `disk`, which was started on `device`, and keep the
 * image open as it ends.
 * qmp_mirror_stop() removes the guard, too. False: this QEMU cannot do all of that (it needs
 * blkdebug and copy-on-read).
 */
bool mirror_guard(struct qmp *q, const char *id, const char *disk, const char *device,
                  struct error *err);

enum {
    MIRROR_GUARDS = 3
};

/* The nodes of the guard of the mirror `name`, in the order in which they are removed. */
void mirror_guard_names(const char *name, char guards[MIRROR_GUARDS][QMP_NODE_NAME_SIZE]);

#endif

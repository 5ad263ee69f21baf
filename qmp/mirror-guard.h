/* A mirror that nobody completes behind our back. */
#ifndef XMIG_QMP_MIRROR_GUARD_H
#define XMIG_QMP_MIRROR_GUARD_H

#include "qmp/mirror.h"

/**
 * Have QEMU refuse to complete the mirror of `disk`, which was started on `device`.
 * qmp_mirror_stop() removes the guard, too. False: this QEMU cannot (it needs blkdebug).
 */
bool mirror_guard(struct qmp *q, const char *id, const char *disk, const char *device,
                  struct error *err);

/* The nodes of the guard of the mirror `name`, in the order in which they are removed. */
void mirror_guard_names(const char *name, char refuser[QMP_NODE_NAME_SIZE],
                        char reader[QMP_NODE_NAME_SIZE]);

#endif

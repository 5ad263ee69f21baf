/* The directory in which a QEMU was started. */
#ifndef XMIG_HOST_QEMU_START_DIR_H
#define XMIG_HOST_QEMU_START_DIR_H

#include "host/qemu/find.h"

/* Fill in `start_dir` and `start_dir_known` of a process whose words and `cwd` are known. */
void start_dir_find(struct qemu_process *process);

#endif

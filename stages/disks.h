/* The disks that the parameters name. */
#ifndef XMIG_STAGES_DISKS_H
#define XMIG_STAGES_DISKS_H

#include "xmig/move.h"
#include "xmig/vm-params.h"

size_t disk_count(const struct migration *m);

/* Borrowed from the parameters; `i` is below disk_count(). */
const char *disk_name(const struct migration *m, size_t i);

struct vm_disk disk_at(const struct migration *m, size_t i);

#endif

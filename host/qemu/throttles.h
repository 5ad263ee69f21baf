/* Limits of throttle groups (-object throttle-group), which the monitor may have changed since
 * QEMU's start.
 */
#ifndef XMIG_HOST_QEMU_THROTTLES_H
#define XMIG_HOST_QEMU_THROTTLES_H

#include "host/qemu/qemu.h"

/* {"GROUP": limits}, of the groups that the command line makes; the caller frees it. */
cJSON *throttles_read(struct qemu *vm, const cJSON *words, struct error *err);

/* At the target: make the limits so. */
bool throttles_set(struct qemu *vm, const cJSON *throttles, struct error *err);

#endif

/* The taps of a VM's networks, at the source and at the target. */
#ifndef XMIG_HOST_QEMU_TAPS_H
#define XMIG_HOST_QEMU_TAPS_H

#include "host/qemu/copy/copy.h"

/* An array of struct qemu_tap, from what "info network" prints of the process `pid`. The caller
 * frees it.
 */
cJSON *taps_read(const char *text, pid_t pid, struct error *err);

/* As they shall be at the target, with other bridges; the caller frees it. */
cJSON *taps_choose(const cJSON *taps, const cJSON *bridges);

/* Of what an option means no tap or bridge of the VM's. */
bool taps_check_choices(const cJSON *taps, const cJSON *joined, const cJSON *bridges,
                        struct error *err);

bool taps_check(const struct qemu_copy *vm, const cJSON *taps, struct error *err);

void taps_plan(const cJSON *taps, struct plan *plan);
/* The bridges that QEMU joins by a helper of its own. */
bool bridges_check(const cJSON *bridges, struct error *err);

/* QEMU has made the taps that were not there: make them ports of their bridges. */
bool taps_join(struct qemu_copy *vm, const cJSON *taps, struct error *err);
void taps_leave(struct qemu_copy *vm);
/* A fact of the journal's, which is taken: this migration has made a tap a port. */
void taps_noted(struct qemu_copy *vm, cJSON *fact);

#endif

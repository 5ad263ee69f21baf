/* The machine as QEMU has it now, which the monitor may have changed since its start. */
#ifndef XMIG_HOST_QEMU_GUEST_MACHINE_H
#define XMIG_HOST_QEMU_GUEST_MACHINE_H

#include "host/qemu/guest/guest.h"
#include "host/system/tap-offloads.h"

/* ---- machine.c ---- */

/* What there is: {"devices", "anonymous", "objects", "chardevs", "networks", "taps", …}.
 * The caller frees it; NULL: QEMU did not say.
 */
cJSON *machine_read(struct qemu_guest *vm, struct error *err);

/* Refuse what the start line does not make again and xmig cannot carry. */
bool machine_check(struct qemu_guest *vm, const cJSON *machine, struct error *err);

/* False: the machine is not as `before` any more; NULL is like any. */
bool machine_is_still(struct qemu_guest *vm, const cJSON *before, struct error *err);

/* ---- machine-line.c: what the start line makes ---- */

/* Does the line make a thing called `id` with one of `options` (NULL-terminated)? */
bool line_says(const cJSON *words, const char *const options[], const char *id);
/* The names that `option` gives by its `key` ("id"); the caller frees it. */
cJSON *line_ids(const cJSON *words, const char *option, const char *key);
/* How many devices without an id it makes; QEMU numbers them. */
size_t line_count_anonymous(const cJSON *words, const char *machine);

/* ---- queues.c ---- */

/* Of struct qemu_queue; the caller frees it. */
cJSON *queues_read(struct qemu *vm, struct error *err);

/* ---- offloads.c ---- */

/* Names of the taps that do this for the guest of process `pid`; the caller frees it. */
cJSON *offloads_read(pid_t pid, enum tap_offload what);
/* Add to `names` the network cards whose guest has agreed to USO, where this QEMU can be asked. */
bool offloads_add_cards(struct qemu *vm, cJSON *names, struct error *err);

/* ---- usernet.c: the ports that are forwarded to the guest ---- */

/* {"NETWORK": ["tcp:127.0.0.1:2222-10.0.2.15:22", …]} from what "info usernet" prints. */
cJSON *usernet_forwards(const char *text);

#endif

/* The machine as QEMU has it now, which the monitor may have changed since its start. */
#ifndef XMIG_HOST_QEMU_GUEST_MACHINE_H
#define XMIG_HOST_QEMU_GUEST_MACHINE_H

#include "host/qemu/qemu.h"

/* ---- machine.c ---- */

/* What there is: {"devices", "anonymous", "objects", "chardevs", "networks", "taps", …}.
 * The caller frees it; NULL: QEMU did not say.
 */
cJSON *machine_read(struct qemu *vm, struct error *err);

/* Refuse what the start line does not make again and xmig cannot carry. */
bool machine_check(struct qemu *vm, const cJSON *machine, struct error *err);

/* False: the machine is not as `before` any more; NULL is like any. */
bool machine_is_still(struct qemu *vm, const cJSON *before, struct error *err);

/* A command of the human monitor's, and what it prints, which the caller frees; NULL: an error. */
char *machine_ask(struct qemu *vm, const char *command, struct error *err);

/* ---- machine-line.c: what the start line makes ---- */

/* Does the line make a thing called `id` with one of `options` (NULL-terminated)? */
bool line_says(const cJSON *words, const char *const options[], const char *id);
/* The names that `option` gives by its `key` ("id"); the caller frees it. */
cJSON *line_ids(const cJSON *words, const char *option, const char *key);
/* How many devices without an id it makes; QEMU numbers them. */
size_t line_count_anonymous(const cJSON *words, const char *machine);

/* ---- drives.c: media and I/O limits ---- */

/* From query-block: an array of {"name", "device", "qdev", "medium", "limits"}; where "medium"
 * is true, with "source", "format" and "node".
 */
cJSON *drives_read(struct qemu *vm, struct error *err);
/* What lies in the removable ones at the target, with "image" as --disk and --eject have it. */
cJSON *drives_media(struct qemu *vm, const cJSON *drives, struct error *err);
/* The one called `name`, or NULL. */
const cJSON *drives_find(const cJSON *media, const char *name);
/* Are they there? */
bool drives_check(const cJSON *media, struct error *err);
/* At the target, before the guest's state comes: the media and limits of `drives`. */
bool drives_set(struct qemu *vm, const cJSON *media, const cJSON *drives, struct error *err);

/* ---- pci.c ---- */

/* {"ID": "4.0"}; the caller frees it. */
cJSON *pci_slots(struct qemu *vm, struct error *err);
/* At the target: is each device where it is at the source? */
bool pci_check(struct qemu *vm, const cJSON *there, struct error *err);

/* ---- usernet.c: the ports that are forwarded to the guest ---- */

/* {"NETWORK": ["tcp:127.0.0.1:2222-10.0.2.15:22", …]} from what "info usernet" prints. */
cJSON *usernet_forwards(const char *text);

#endif

/* The VM's drives: media and I/O limits. */
#ifndef XMIG_HOST_QEMU_DRIVES_H
#define XMIG_HOST_QEMU_DRIVES_H

#include "host/qemu/params.h"
#include "host/qemu/qemu.h"

/* From query-block, with paths that are relative to `cwd`: an array of struct qemu_drive. */
cJSON *drives_read(struct qemu *vm, const char *cwd, struct error *err);
/* What lies in the removable ones at the target, as --disk and --eject have it: an array of struct
 * qemu_medium.
 */
cJSON *drives_media(const struct vm_options *options, const cJSON *drives, struct error *err);
/* Is one of `media` called so? */
bool drives_have(const cJSON *media, const char *name);
/* Are they there? */
bool drives_check(const cJSON *media, struct error *err);
/* At the target, before the guest's state comes: the media and limits of `drives`. */
bool drives_set(struct qemu *vm, const cJSON *media, const cJSON *drives, struct error *err);

#endif

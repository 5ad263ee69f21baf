/* The VM's drives: media and I/O limits. */
#ifndef XMIG_HOST_QEMU_DRIVES_H
#define XMIG_HOST_QEMU_DRIVES_H

#include "host/qemu/qemu.h"

/* From query-block, with paths that are relative to `cwd`: an array of {"name", "device", "qdev",
 * "medium", "limits"}; where "medium" is true, with "source", "format" and "node".
 */
cJSON *drives_read(struct qemu *vm, const char *cwd, struct error *err);
/* What lies in the removable ones at the target, with "image" as --disk and --eject have it. */
cJSON *drives_media(const struct vm_options *options, const cJSON *drives, struct error *err);
/* The one called `name`, or NULL. */
const cJSON *drives_find(const cJSON *media, const char *name);
/* Are they there? */
bool drives_check(const cJSON *media, struct error *err);
/* At the target, before the guest's state comes: the media and limits of `drives`. */
bool drives_set(struct qemu *vm, const cJSON *media, const cJSON *drives, struct error *err);

#endif

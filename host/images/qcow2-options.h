/* How a qcow2 image is made at the target: as the source's was, in what can be no harm. */
#ifndef XMIG_HOST_IMAGES_QCOW2_OPTIONS_H
#define XMIG_HOST_IMAGES_QCOW2_OPTIONS_H

#include "xmig/json.h"

/* `options`: an object NAME → text, or NULL. Only known names with values of their kind are
 * permitted (ERROR_REFUSED): others may name a file that qemu-img then reads, or makes.
 */
bool qcow2_options_check(const cJSON *options, struct error *err);

/* As one word for `qemu-img create -o`; the caller frees it. */
char *qcow2_options_print(const cJSON *options);

#endif

/* One disk image of the target: made, kept, discarded. */
#ifndef XMIG_HOST_QEMU_IMAGES_H
#define XMIG_HOST_QEMU_IMAGES_H

#include "host/qemu/qemu.h"

/* May the image of these parameters be made? */
bool image_check(struct qemu *vm, const cJSON *disk, struct error *err);

#endif

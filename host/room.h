/* Is there room for the disks at the target? */
#ifndef XMIG_HOST_ROOM_H
#define XMIG_HOST_ROOM_H

#include "host/disk-images.h"

/* What will be written counts. What is not wrong, but worth knowing, is added to `notes`, an array
 * of strings.
 */
bool room_check(const struct disk_images *images, cJSON *notes, struct error *err);

#endif

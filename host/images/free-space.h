/* Is there room for the disks at the target? */
#ifndef XMIG_HOST_IMAGES_FREE_SPACE_H
#define XMIG_HOST_IMAGES_FREE_SPACE_H

#include "host/images/disk-images.h"

/* What will be written counts. What is not wrong, but worth knowing, is added to `notes`, an array
 * of strings.
 */
bool room_check(const struct disk_images *images, cJSON *notes, struct error *err);

#endif

/* Is there room for the disks at the target? */
#ifndef XMIG_HOST_ROOM_H
#define XMIG_HOST_ROOM_H

#include "xmig/json.h"

/* `disks` is the parameters' array: {"image", "size", "allocated"}. What is not wrong, but
 * worth knowing, is added to `notes`, an array of strings.
 */
bool room_check(const cJSON *disks, cJSON *notes, struct error *err);

#endif

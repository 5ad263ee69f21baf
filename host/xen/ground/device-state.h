/* The device model's state, behind the RAM in the same lane: "XMIGDEV1", its length, its
 * SHA-256, itself.
 */
#ifndef XMIG_HOST_XEN_GROUND_DEVICE_STATE_H
#define XMIG_HOST_XEN_GROUND_DEVICE_STATE_H

#include <stddef.h>

#include "xmig/error.h"

/* Both block: they are the helper thread's. */
bool device_state_send(int fd, const char *path, struct error *err);
/* The caller frees `*state`. */
bool device_state_receive(int fd, char **state, size_t *size, struct error *err);

#endif

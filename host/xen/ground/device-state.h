/* The device model's state follows RAM in the same lane: "XMIGDEV1", its length, its SHA-256, and
 * the state itself.
 */
#ifndef XMIG_HOST_XEN_GROUND_DEVICE_STATE_H
#define XMIG_HOST_XEN_GROUND_DEVICE_STATE_H

#include <stddef.h>

#include "xmig/error.h"

/* Both functions block: only for the thread that sends or receives RAM. */
bool device_state_send(int fd, const char *path, struct error *err);
/* The caller frees `*state`. */
bool device_state_receive(int fd, char **state, size_t *size, struct error *err);

#endif

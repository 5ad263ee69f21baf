/* Disks in xenstore's nodes. */
#ifndef XMIG_HOST_XEN_GROUND_DISK_NODES_H
#define XMIG_HOST_XEN_GROUND_DISK_NODES_H

#include "xmig/json.h"

/* The path of the image in a node's "params": "aio:/path" or "qcow2:/path" if the device model
 * serves the disk, "/path" if the kernel does.
 */
const char *disk_node_path(const char *params);
/* The name that the guest's configuration gives the disk, "xvda"; borrowed from `keys`. NULL
 * (ERROR_REFUSED): there is none, or one that no target would accept.
 */
const char *disk_node_name(const cJSON *keys, struct error *err);
/* Is it a disk that is copied? CD-ROM drives and read-only disks must be at the target already. */
bool disk_node_moves(const cJSON *keys);

#endif

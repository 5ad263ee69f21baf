/* What xenstore's nodes say of disks, and the list of media in the parameters. */
#ifndef XMIG_HOST_XEN_GROUND_DISK_NODES_H
#define XMIG_HOST_XEN_GROUND_DISK_NODES_H

#include "xmig/json.h"

/* The image in a node's "params": "aio:/path" and "qcow2:/path" are the device model's, "/path"
 * is the kernel's.
 */
const char *disk_node_path(const char *params);
/* Is it a disk that is copied? CD-ROM drives and read-only disks must be at the target already. */
bool disk_node_moves(const cJSON *keys);

/* The medium whose `member` has this value; NULL: none. */
const cJSON *media_find(const cJSON *media, const char *member, const char *value);

#endif

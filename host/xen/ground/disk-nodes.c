/* Read libxl's notes of disks. */
#include "host/xen/ground/disk-nodes.h"

#include <string.h>

const char *disk_node_path(const char *params)
{
    const char *colon = strchr(params, ':');

    return *params == '/' || !colon ? params : colon + 1;
}

bool disk_node_moves(const cJSON *keys)
{
    return !strcmp(json_string_or(keys, "device-type", "disk"), "disk") &&
           !strcmp(json_string_or(keys, "mode", "w"), "w");
}

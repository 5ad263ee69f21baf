/* Read libxl's notes of disks. */
#include "host/xen/ground/disk-nodes.h"

#include <string.h>

#include "xmig/fields.h"

const char *disk_node_path(const char *params)
{
    const char *colon = strchr(params, ':');

    return *params == '/' || !colon ? params : colon + 1;
}

const char *disk_node_name(const cJSON *keys, struct error *err)
{
    const char *name = json_string_or(keys, "dev", NULL);

    if (name && field_is_name(name))
        return name;
    error_set(err, ERROR_REFUSED,
              "libxl has noted '%s' as its name ('dev'), which is not one of letters and digits",
              name ? name : "");
    return NULL;
}

bool disk_node_moves(const cJSON *keys)
{
    return !strcmp(json_string_or(keys, "device-type", "disk"), "disk") &&
           !strcmp(json_string_or(keys, "mode", "w"), "w");
}

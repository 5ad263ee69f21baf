/* The disks that the parameters name. */
#include "disks.h"

static const cJSON *disks(const struct migration *m)
{
    return cJSON_GetObjectItemCaseSensitive(m->params, "disks");
}

size_t disk_count(const struct migration *m)
{
    return (size_t)cJSON_GetArraySize(disks(m));
}

const char *disk_name(const struct migration *m, size_t i)
{
    return json_string_or(cJSON_GetArrayItem(disks(m), (int)i), "name", "?");
}

uint64_t disk_size(const struct migration *m, size_t i)
{
    return json_uint_or(cJSON_GetArrayItem(disks(m), (int)i), "size", 0);
}

/* The disks that the parameters name. */
#include "disks.h"

static const cJSON *disks(const struct migration *m)
{
    struct vm_params params = { 0 };

    return m->params && fields_get(vm_fields, m->params, &params) ? params.disks : NULL;
}

size_t disk_count(const struct migration *m)
{
    return (size_t)cJSON_GetArraySize(disks(m));
}

struct vm_disk disk_at(const struct migration *m, size_t i)
{
    struct vm_disk disk;

    fields_get(vm_disk_fields, cJSON_GetArrayItem(disks(m), (int)i), &disk);
    return disk;
}

const char *disk_name(const struct migration *m, size_t i)
{
    return disk_at(m, i).name;
}

/* The name of a mirror: its job's, and that of the node which it writes to. */
#include <inttypes.h>
#include <stdio.h>

#include "qmp/mirror.h"

/* FNV-1a: for names, not for secrets. */
static uint64_t hash(const char *text)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        value = (value ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return value;
}

void qmp_mirror_name(const char *id, const char *disk, char name[QMP_NODE_NAME_SIZE])
{
    int len = snprintf(name, QMP_NODE_NAME_SIZE, "xmig-%.8s-%s", id, disk);

    if (len >= QMP_NODE_NAME_SIZE)
        snprintf(name, QMP_NODE_NAME_SIZE, "xmig-%.8s-%016" PRIx64, id, hash(disk));
}

/* The parts of the name. */
#include "host/kernel-disks/origin-name.h"

#include "xmig/cleanup.h"
#include "xmig/text.h"

char *origin_name(const char *id, const char *disk)
{
    return formatted("xmig-%s-%s-orig", id, disk);
}

bool origin_name_is(const char *name, const char *id)
{
    AUTO_FREE char *start = formatted("xmig-%s%s", id ? id : "", id ? "-" : "");
    size_t length = strlen(name);

    return length > strlen(start) + 5 && !strncmp(name, start, strlen(start)) &&
           !strcmp(name + length - 5, "-orig");
}

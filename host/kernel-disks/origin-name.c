/* The parts of the name. */
#include "host/kernel-disks/origin-name.h"

#include <ctype.h>
#include <string.h>

#include "xmig/text.h"

enum {
    ID_LENGTH = 16
};

char *origin_name(const char *id, const char *disk)
{
    return formatted("xmig-%s-%s-orig", id, disk);
}

/* After "xmig-": 16 hexadecimal digits, which are `id` unless that is NULL. */
static bool is_id(const char *at, const char *id)
{
    return strspn(at, "0123456789abcdef") == ID_LENGTH &&
           (!id || (strlen(id) == ID_LENGTH && !strncmp(at, id, ID_LENGTH)));
}

bool origin_name_is(const char *name, const char *id)
{
    const char *at = name + 5;
    size_t disk = 0;

    if (strncmp(name, "xmig-", 5) != 0 || !is_id(at, id) || at[ID_LENGTH] != '-')
        return false;
    at += ID_LENGTH + 1;
    while (isalnum((unsigned char)at[disk]))
        disk++;
    return disk > 0 && !strcmp(at + disk, "-orig");
}

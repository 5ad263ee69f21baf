/* The options that say something of a disk, a drive or a bridge. */
#include "option-pairs.h"

#include "xmig/cleanup.h"

/* The part before '='; the caller frees it. NULL: one of the two parts is missing. */
static char *left_side(const char *option, const char *form, const char *value, struct error *err)
{
    const char *equals = strchr(value, '=');

    if (equals && equals > value && equals[1])
        return must(strndup(value, (size_t)(equals - value)));
    error_set(err, ERROR_REFUSED, "%s '%s' is not %s", option, value, form);
    return NULL;
}

bool take_pair(cJSON *pairs, const char *option, const char *form, const char *value,
               struct error *err)
{
    AUTO_FREE char *name = left_side(option, form, value, err);

    if (!name)
        return false;
    if (cJSON_GetObjectItemCaseSensitive(pairs, name))
        return error_set(err, ERROR_REFUSED, "%s %s is given twice", option, name);
    cJSON_AddStringToObject(pairs, name, value + strlen(name) + 1);
    return true;
}

bool take_lose(cJSON *lose, const char *value, struct error *err)
{
    AUTO_FREE char *disk = left_side("--lose", "DISK=snapshots or DISK=bitmaps", value, err);
    const char *what = disk ? value + strlen(disk) + 1 : "";
    cJSON *losses;

    if (!disk)
        return false;
    if (strcmp(what, "snapshots") != 0 && strcmp(what, "bitmaps") != 0)
        return error_set(err, ERROR_REFUSED, "--lose %s: '%s' is neither snapshots nor bitmaps",
                         disk, what);
    losses = cJSON_GetObjectItemCaseSensitive(lose, disk);
    if (!losses)
        losses = cJSON_AddObjectToObject(lose, disk);
    return take_name(losses, what);
}

bool take_name(cJSON *names, const char *name)
{
    if (!cJSON_GetObjectItemCaseSensitive(names, name))
        cJSON_AddTrueToObject(names, name);
    return true;
}

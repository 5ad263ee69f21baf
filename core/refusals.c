/* Refusals that are put aside, so that a person hears of all at once. */
#include "xmig/error.h"

#include "xmig/cleanup.h"
#include "xmig/json.h"

static bool is_aside(const struct error *err)
{
    const cJSON *refusal;

    cJSON_ArrayForEach (refusal, err->refusals)
        if (!strcmp(json_string_or(refusal, "text", ""), err->text))
            return true;
    return false;
}

/* Keep the refusal, unless another check has refused with the same text. */
static void put_aside(struct error *err)
{
    cJSON *refusal;

    if (is_aside(err))
        return;
    refusal = json_new("text", err->text);
    cJSON_AddItemToArray(err->refusals, refusal);
}

bool error_goes_on(struct error *err, bool ok)
{
    if (ok)
        return true;
    if (!err || !err->refusals || err->kind != ERROR_REFUSED)
        return false;
    put_aside(err);
    error_clear(err);
    return true;
}

int error_aside(const struct error *err)
{
    return err && err->refusals ? cJSON_GetArraySize(err->refusals) : 0;
}

bool error_none_since(struct error *err, int before)
{
    AUTO_JSON cJSON *last = NULL;

    if (error_aside(err) <= before)
        return true;
    last = cJSON_DetachItemFromArray(err->refusals, error_aside(err) - 1);
    return error_set(err, ERROR_REFUSED, "%s", json_string_or(last, "text", "?"));
}

bool error_join(struct error *err)
{
    const cJSON *refusal;

    error_clear(err);
    err->kind = ERROR_REFUSED;
    cJSON_ArrayForEach (refusal, err->refusals)
        error_append(err, "%s%s", refusal == err->refusals->child ? "" : "; ",
                     json_string_or(refusal, "text", "?"));
    return false;
}

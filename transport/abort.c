/* Why the peer gives up. */
#include "transport/abort.h"

#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    REFUSALS_MAX = 100 /* nobody reads more */
};

void abort_reason(const cJSON *abort, struct error *why)
{
    enum error_kind kind = error_kind_from_name(json_string_or(abort, "kind", "peer"));

    if (kind != ERROR_REFUSED && kind != ERROR_CANCELLED)
        kind = ERROR_PEER;
    error_set(why, kind, "%s", json_string_or(abort, "text", "the peer gave no reason"));
}

static void add_refusal(cJSON *refusals, const char *text)
{
    cJSON *refusal = json_new("text", text);

    cJSON_AddItemToArray(refusals, refusal);
}

cJSON *abort_refusals(const cJSON *abort, const struct error *why)
{
    const cJSON *said = cJSON_GetObjectItemCaseSensitive(abort, "refusals");
    cJSON *refusals = must(cJSON_CreateArray());
    const cJSON *each;
    int count = 0;

    if (!cJSON_IsArray(said))
        add_refusal(refusals, why->text);
    cJSON_ArrayForEach (each, said)
        if (count++ < REFUSALS_MAX)
            cJSON_AddItemToArray(refusals, must(cJSON_Duplicate(each, true)));
    if (count > REFUSALS_MAX) {
        AUTO_FREE char *rest = formatted("and %d more", count - REFUSALS_MAX);

        add_refusal(refusals, rest);
    }
    return refusals;
}

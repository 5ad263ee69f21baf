/* Remembers addresses that have authenticated lately, and limits how often others may begin. */
#include "transport/listen/known-addresses.h"

#include <string.h>

void known_addresses_add(struct known_addresses *known, const struct origin *origin,
                         uint64_t now_ms)
{
    size_t oldest = 0;

    for (size_t i = 0; i < KNOWN_MAX; i++) {
        if (!strcmp(known->entries[i].group, origin->group)) {
            oldest = i;
            break;
        }
        if (known->entries[i].at_ms < known->entries[oldest].at_ms)
            oldest = i;
    }
    memcpy(known->entries[oldest].group, origin->group, sizeof(origin->group));
    known->entries[oldest].at_ms = now_ms;
}

bool known_addresses_has(const struct known_addresses *known, const struct origin *origin,
                         uint64_t now_ms, uint64_t within_ms)
{
    for (size_t i = 0; i < KNOWN_MAX; i++)
        if (known->entries[i].at_ms && !strcmp(known->entries[i].group, origin->group))
            return now_ms - known->entries[i].at_ms < within_ms;
    return false;
}

enum {
    SECOND_MS = 1000
};

bool budget_take(struct budget *budget, uint64_t now_ms)
{
    if (budget_wait_ms(budget, now_ms) > 0)
        return false;
    if (budget->from_ms < now_ms)
        budget->from_ms = now_ms;
    budget->from_ms += SECOND_MS / budget->per_second;
    return true;
}

uint64_t budget_wait_ms(const struct budget *budget, uint64_t now_ms)
{
    return budget->from_ms > now_ms + SECOND_MS ? budget->from_ms - now_ms - SECOND_MS : 0;
}

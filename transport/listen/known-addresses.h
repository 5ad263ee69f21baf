/* Addresses from which somebody has authenticated lately. When too many connections come, these are
 * served first.
 */
#ifndef XMIG_TRANSPORT_LISTEN_KNOWN_ADDRESSES_H
#define XMIG_TRANSPORT_LISTEN_KNOWN_ADDRESSES_H

#include "transport/listen/sockets.h"

#include <stdint.h>

enum {
    KNOWN_MAX = 64
};

struct known_addresses {
    struct {
        char group[ORIGIN_MAX];
        uint64_t at_ms;
    } entries[KNOWN_MAX];
};

/* When the list is full, the address that was not seen for the longest time is dropped. */
void known_addresses_add(struct known_addresses *known, const struct origin *origin,
                         uint64_t now_ms);
bool known_addresses_has(const struct known_addresses *known, const struct origin *origin,
                         uint64_t now_ms, uint64_t within_ms);

/* A budget of `per_second` things a second. After a second without any, so many are permitted at
 * once.
 */
struct budget {
    unsigned per_second;
    uint64_t from_ms; /* when the next one is paid for */
};
bool budget_take(struct budget *budget, uint64_t now_ms);
uint64_t budget_wait_ms(const struct budget *budget, uint64_t now_ms);

#endif

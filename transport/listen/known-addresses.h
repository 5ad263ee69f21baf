/* The addresses that somebody has authenticated from lately: at a flood they go first. */
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

/* The one that was not seen for the longest time makes room. */
void known_addresses_add(struct known_addresses *known, const struct origin *origin,
                         uint64_t now_ms);
bool known_addresses_has(const struct known_addresses *known, const struct origin *origin,
                         uint64_t now_ms, uint64_t within_ms);

/* So many a second, and as many at once after a second without any. */
struct budget {
    unsigned per_second;
    uint64_t from_ms; /* when the next one is paid for */
};
bool budget_take(struct budget *budget, uint64_t now_ms);
uint64_t budget_wait_ms(const struct budget *budget, uint64_t now_ms);

#endif

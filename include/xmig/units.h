/* Sizes and times, as people write and read them. */
#ifndef XMIG_UNITS_H
#define XMIG_UNITS_H

#include <stdint.h>

#include "xmig/error.h"

/* "4096", "200M", "1.5G": bytes; K, M, G and T are powers of 1024. */
bool parse_size(const char *text, uint64_t *bytes, struct error *err);

/* "300ms", "30s", "10min", "2h", or "0". A number alone could mean too much. */
bool parse_time(const char *text, uint64_t *ms, struct error *err);

/* The sum, or the greatest number there is. */
static inline uint64_t add_sizes(uint64_t one, uint64_t other)
{
    return one <= UINT64_MAX - other ? one + other : UINT64_MAX;
}

enum {
    UNITS_TEXT_MAX = 32
};

/* "512 bytes", "1.5 GiB". Returns `text`. */
const char *print_size(char text[UNITS_TEXT_MAX], uint64_t bytes);

/* The same; in bytes where it would else read like `other`. */
const char *print_unequal(char text[UNITS_TEXT_MAX], uint64_t bytes, uint64_t other);

/* "84 ms", "12.3 s", "4 min 10 s", "3 h 20 min". Returns `text`. */
const char *print_time(char text[UNITS_TEXT_MAX], uint64_t ms);

/* "just now", "12.3 s ago". Returns `text`. */
const char *print_age(char text[UNITS_TEXT_MAX], uint64_t ms);

#endif

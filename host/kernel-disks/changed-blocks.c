/* A bit a block; ranges are adjacent set bits. */
#include "host/kernel-disks/changed-blocks.h"

#include "xmig/cleanup.h"

static uint64_t bytes_of(const struct changed_blocks *changed)
{
    return changed->count / 8 + 1;
}

void changed_blocks_init(struct changed_blocks *changed, uint64_t size, uint64_t block)
{
    *changed = (struct changed_blocks){ .size = size, .block = block };
    changed->count = size / block + (size % block > 0);
    changed->bits = must(calloc(bytes_of(changed), 1));
}

void changed_blocks_done(struct changed_blocks *changed)
{
    free(changed->bits);
    changed->bits = NULL;
}

static bool is_marked(const struct changed_blocks *changed, uint64_t number)
{
    return changed->bits[number / 8] & 1 << number % 8;
}

void changed_blocks_mark(struct changed_blocks *changed, uint64_t number)
{
    if (number < changed->count)
        changed->bits[number / 8] |= (uint8_t)(1 << number % 8);
}

void changed_blocks_clear(struct changed_blocks *changed)
{
    memset(changed->bits, 0, bytes_of(changed));
}

/* Backwards, so that a block that is marked here has its own neighbour left alone. */
void changed_blocks_widen(struct changed_blocks *changed)
{
    for (uint64_t i = changed->count; i-- > 1;)
        if (is_marked(changed, i - 1))
            changed_blocks_mark(changed, i);
}

void changed_blocks_add(struct changed_blocks *changed, const struct changed_blocks *more)
{
    for (uint64_t i = 0; i < bytes_of(changed); i++)
        changed->bits[i] |= more->bits[i];
}

static uint64_t skip(const struct changed_blocks *changed, uint64_t number, bool marked)
{
    uint8_t whole = marked ? 0xff : 0;

    while (number < changed->count && is_marked(changed, number) == marked)
        number += number % 8 == 0 && changed->bits[number / 8] == whole ? 8 : 1;
    return number < changed->count ? number : changed->count;
}

bool changed_blocks_next(const struct changed_blocks *changed, uint64_t from, uint64_t *offset,
                         uint64_t *length)
{
    uint64_t first = skip(changed, from / changed->block, false);
    uint64_t end = skip(changed, first, true) * changed->block;

    *offset = first * changed->block;
    if (*offset < from)
        *offset = from;
    if (end > changed->size)
        end = changed->size;
    *length = end > *offset ? end - *offset : 0;
    return *length > 0;
}

uint64_t changed_blocks_bytes(const struct changed_blocks *changed)
{
    uint64_t bytes = 0, offset, length;

    for (uint64_t from = 0; changed_blocks_next(changed, from, &offset, &length);
         from = offset + length)
        bytes += length;
    return bytes;
}

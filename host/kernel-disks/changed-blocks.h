/* Which blocks of a volume were written to: one bit a block. */
#ifndef XMIG_HOST_KERNEL_DISKS_CHANGED_BLOCKS_H
#define XMIG_HOST_KERNEL_DISKS_CHANGED_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

struct changed_blocks {
    uint64_t size;  /* of the volume, in bytes; its last block may be a part of one */
    uint64_t block; /* bytes of a block */
    uint64_t count; /* blocks */
    uint8_t *bits;
};

void changed_blocks_init(struct changed_blocks *changed, uint64_t size, uint64_t block);
void changed_blocks_done(struct changed_blocks *changed);

/* A number beyond the last block is ignored. */
void changed_blocks_mark(struct changed_blocks *changed, uint64_t number);
void changed_blocks_clear(struct changed_blocks *changed);

/* Also mark the block after each that is marked. */
void changed_blocks_widen(struct changed_blocks *changed);

/* Mark what is marked in `more`, which is of the same volume, too. */
void changed_blocks_add(struct changed_blocks *changed, const struct changed_blocks *more);

/* The first range of adjacent marked blocks that begins at or behind byte `from`, or goes on there;
 * false: there is none. Its end is where to go on from.
 */
bool changed_blocks_next(const struct changed_blocks *changed, uint64_t from, uint64_t *offset,
                         uint64_t *length);

/* How many bytes are marked. */
uint64_t changed_blocks_bytes(const struct changed_blocks *changed);

#endif

/* What the guest writes, shared with the host tool that checks its disks: every
 * byte of a block follows from (disk, block, seq), and which block a seq goes to
 * follows from seq alone. So a checker needs no record of the writes, only their
 * number.
 */
#ifndef XMIG_GUEST_PATTERN_H
#define XMIG_GUEST_PATTERN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    BLOCK_BYTES = 4096,
    BLOCK_WORDS = BLOCK_BYTES / 8
};

static const uint64_t block_magic = 0x6b6c622d67696d78; /* "xmig-blk" */

/* The first four words name the block, the last one is the checksum of all others. */
enum {
    WORD_MAGIC,
    WORD_DISK,
    WORD_BLOCK,
    WORD_SEQ,
    WORD_BODY,
    WORD_SUM = BLOCK_WORDS - 1
};

enum block_state {
    BLOCK_EMPTY,   /* all zero: not written yet */
    BLOCK_WHOLE,   /* what one write of this disk and block has left */
    BLOCK_TORN,    /* the checksum is wrong */
    BLOCK_FOREIGN, /* the checksum is right, but for another disk or block */
};

static inline uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* Write number `seq` of a disk goes to this block; the first write is number 1. */
static inline uint64_t block_of_seq(uint64_t seq, uint64_t block_count)
{
    return mix(seq) % block_count;
}

static inline uint64_t block_sum(const uint64_t *words)
{
    uint64_t sum = 0;

    for (int i = 0; i < WORD_SUM; i++)
        sum = (((sum << 5) | (sum >> 59)) ^ words[i]) * 0x9e3779b97f4a7c15;
    return sum;
}

static inline void block_fill(uint64_t *words, uint64_t disk, uint64_t block, uint64_t seq)
{
    uint64_t seed = mix(seq ^ mix(block ^ mix(disk)));

    words[WORD_MAGIC] = block_magic;
    words[WORD_DISK] = disk;
    words[WORD_BLOCK] = block;
    words[WORD_SEQ] = seq;
    for (int i = WORD_BODY; i < WORD_SUM; i++)
        words[i] = mix(seed + (uint64_t)i);
    words[WORD_SUM] = block_sum(words);
}

/* `*seq` is that of the write found there, 0 unless the block is whole. */
static inline enum block_state block_check(const uint64_t *words, uint64_t disk, uint64_t block,
                                           uint64_t *seq)
{
    uint64_t any = 0;

    *seq = 0;
    for (int i = 0; i < BLOCK_WORDS; i++)
        any |= words[i];
    if (!any)
        return BLOCK_EMPTY;
    if (words[WORD_MAGIC] != block_magic || words[WORD_SUM] != block_sum(words))
        return BLOCK_TORN;
    if (words[WORD_DISK] != disk || words[WORD_BLOCK] != block)
        return BLOCK_FOREIGN;
    *seq = words[WORD_SEQ];
    return BLOCK_WHOLE;
}

/* What the pages of memory hold; as large as blocks. */
enum ram_kind {
    RAM_RAND,
    RAM_TEXT,
    RAM_ZERO
};

/* About 3 to 1 for a fast compressor: one of sixteen pieces of text, then eight digits. */
static inline uint64_t text_word(uint64_t random, bool from_list)
{
    static const char list[] =
        "the machine moved to another host with all of its disks and "
        "no one who was working with it saw more of this than one short pause ";
    char text[8];
    uint64_t word;

    if (from_list) {
        memcpy(text, list + random % 16 * sizeof(text), sizeof(text));
    } else {
        for (size_t i = 0; i < sizeof(text); i++, random >>= 4)
            text[i] = "0123456789abcdef"[random & 15];
    }
    memcpy(&word, text, sizeof(word));
    return word;
}

/* A page of kind zero has content and is all zero in turn, for a zero page that
 * is left out where the other side holds old content is a mistake worth finding.
 */
static inline void page_fill(uint64_t *words, enum ram_kind kind, uint64_t page,
                             uint32_t generation)
{
    uint64_t seed = mix(page << 32 | generation);

    switch (kind) {
    case RAM_RAND:
        for (uint64_t i = 0; i < BLOCK_WORDS; i++)
            words[i] = mix(seed + i);
        break;
    case RAM_TEXT:
        for (uint64_t i = 0; i < BLOCK_WORDS; i++)
            words[i] = text_word(mix(seed + i), i % 2 == 0);
        break;
    case RAM_ZERO:
        memset(words, 0, BLOCK_BYTES);
        if (generation % 2)
            words[seed % BLOCK_WORDS] = seed;
        break;
    }
}

#endif

/* What Linux' dm-era keeps: a superblock that leads to two trees. One has a bitset for each era
 * whose writes are not yet digested, the other is an array with the era in which each block was
 * last written to. A bitset and an array are the same, a tree of blocks of values: of 64 bits, and
 * of an era. All numbers are little-endian; each block of 4 KiB begins with its checksum, and has
 * its own number in it.
 */
#include "host/kernel-disks/era-metadata.h"

#include <endian.h>
#include <inttypes.h>

#include "xmig/bytes.h"
#include "xmig/cleanup.h"

enum {
    KIB = 1024,
    MIB = 1024 * KIB,
    BLOCK = 4096,
    SMALLEST = 64 * KIB,
    MOST_BLOCKS = MIB,
    DEEPEST = 12, /* a tree of that height has more blocks than there is metadata */

    SUPERBLOCK_NUMBER_AT = 8,
    SUPERBLOCK_MAGIC_AT = 32,
    SUPERBLOCK_WRITESETS_AT = 200,
    SUPERBLOCK_ARRAY_AT = 208,
    SUPERBLOCK_MAGIC = 2126579579,
    SUPERBLOCK_CHECKSUM = 146538381,

    NODE_FLAGS_AT = 4,
    NODE_NUMBER_AT = 8,
    NODE_ENTRIES_AT = 16,
    NODE_MAX_AT = 20,
    NODE_VALUE_SIZE_AT = 24,
    NODE_KEYS_AT = 32,
    NODE_IS_INTERNAL = 1,
    NODE_IS_LEAF = 2,
    NODE_CHECKSUM = 121107,

    VALUES_MAX_AT = 4,
    VALUES_ENTRIES_AT = 8,
    VALUES_SIZE_AT = 12,
    VALUES_NUMBER_AT = 16,
    VALUES_AT = 24,
    VALUES_CHECKSUM = 595846735,

    WRITESET_ROOT_AT = 4, /* after the number of its bits */
    WRITESET_SIZE = 12
};

uint64_t era_block_size(uint64_t size, uint64_t granularity)
{
    uint64_t block = SMALLEST;

    while (size / block >= MOST_BLOCKS || (granularity > block && block < 1024 * MIB))
        block *= 2;
    return block;
}

uint64_t era_metadata_size(uint64_t size, uint64_t block)
{
    uint64_t bytes = 10 * (size / block + 1) + MIB;

    return (bytes + BLOCK - 1) / BLOCK * BLOCK;
}

/* ---- a block ---- */

struct reading {
    int fd;
    uint64_t blocks; /* how many there are */
    uint64_t budget; /* how many may still be read: a tree that leads back to itself ends */
    uint32_t since;
    struct changed_blocks *changed;
    struct error *err;
};

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

/* CRC-32C without the last inversion, as Linux has it. */
static uint32_t checksum(const uint8_t *bytes, size_t size)
{
    static uint32_t table[256];
    uint32_t sum = UINT32_MAX;

    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;

            for (int bit = 0; bit < 8; bit++)
                value = value >> 1 ^ (value & 1 ? 0x82f63b78 : 0);
            table[i] = value;
        }
    while (size--)
        sum = table[(sum ^ *bytes++) & 0xff] ^ sum >> 8;
    return sum;
}

static bool damaged(const struct reading *reading, uint64_t number, const char *what)
{
    return error_set(reading->err, ERROR_SYSTEM,
                     "block %" PRIu64 " of the notes of writes is damaged: %s", number, what);
}

/* Read block `number`, of the kind whose checksums are made with `kind` and which has its own
 * number at `number_at`.
 */
static bool read_block(struct reading *reading, uint64_t number, uint32_t kind, size_t number_at,
                       uint8_t *block)
{
    if (number >= reading->blocks)
        return damaged(reading, number, "there is none of this number");
    if (reading->budget-- == 0)
        return damaged(reading, number, "what leads to it leads in a circle");
    if (pread(reading->fd, block, BLOCK, (off_t)(number * BLOCK)) != BLOCK)
        return error_set(reading->err, ERROR_SYSTEM,
                         "cannot read block %" PRIu64 " of the notes of writes: %m", number);
    if (get32(block) != (checksum(block + 4, BLOCK - 4) ^ kind))
        return damaged(reading, number, "its checksum is wrong");
    return get64(block + number_at) == number ||
           damaged(reading, number, "it has another block's number");
}

/* ---- a tree ---- */

/* Calls `visit` for each value of the leaves, with its key. */
typedef bool visit_fn(struct reading *reading, uint64_t key, const uint8_t *value);

static bool check_node(struct reading *reading, uint64_t number, const uint8_t *node,
                       size_t leaf_value)
{
    uint32_t flags = get32(node + NODE_FLAGS_AT);
    uint64_t most = get32(node + NODE_MAX_AT), size = get32(node + NODE_VALUE_SIZE_AT);

    if (flags != NODE_IS_INTERNAL && flags != NODE_IS_LEAF)
        return damaged(reading, number, "it is neither a leaf nor a branch");
    if (size != (flags == NODE_IS_LEAF ? leaf_value : sizeof(uint64_t)))
        return damaged(reading, number, "its values have another size");
    return (NODE_KEYS_AT + most * (8 + size) <= BLOCK && get32(node + NODE_ENTRIES_AT) <= most) ||
           damaged(reading, number, "it has more entries than room");
}

static bool walk(struct reading *reading, uint64_t root, size_t leaf_value, visit_fn *visit,
                 int depth) // NOLINT(misc-no-recursion): at most DEEPEST
{
    uint8_t node[BLOCK];
    const uint8_t *keys = node + NODE_KEYS_AT, *values;
    uint32_t entries;
    bool is_leaf;

    if (depth > DEEPEST)
        return damaged(reading, root, "its tree is too high");
    if (!read_block(reading, root, NODE_CHECKSUM, NODE_NUMBER_AT, node) ||
        !check_node(reading, root, node, leaf_value))
        return false;
    is_leaf = get32(node + NODE_FLAGS_AT) == NODE_IS_LEAF;
    entries = get32(node + NODE_ENTRIES_AT);
    values = keys + (size_t)get32(node + NODE_MAX_AT) * 8;
    for (size_t i = 0; i < entries; i++) {
        if (is_leaf ? !visit(reading, get64(keys + i * 8), values + i * leaf_value)
                    : !walk(reading, get64(values + i * 8), leaf_value, visit, depth + 1))
            return false;
    }
    return true;
}

/* ---- what the leaves lead to ---- */

/* The first of the values in the block that `value` leads to, and in `entries` how many there are;
 * in `first` its place in the whole array, of which it is the part numbered `key`.
 */
static const uint8_t *read_values(struct reading *reading, uint64_t key, const uint8_t *value,
                                  size_t size, uint8_t *block, uint32_t *entries, uint64_t *first)
{
    uint64_t number = get64(value), most;

    if (!read_block(reading, number, VALUES_CHECKSUM, VALUES_NUMBER_AT, block))
        return NULL;
    most = get32(block + VALUES_MAX_AT);
    *entries = get32(block + VALUES_ENTRIES_AT);
    if (get32(block + VALUES_SIZE_AT) != size || VALUES_AT + most * size > BLOCK ||
        *entries > most || key > UINT32_MAX) {
        damaged(reading, number, "its values have no room in it");
        return NULL;
    }
    *first = key * most;
    return block + VALUES_AT;
}

static bool add_eras(struct reading *reading, uint64_t key, const uint8_t *value)
{
    uint8_t block[BLOCK];
    uint32_t entries;
    uint64_t first;
    const uint8_t *eras =
        read_values(reading, key, value, sizeof(uint32_t), block, &entries, &first);

    for (size_t i = 0; eras && i < entries; i++)
        if (get32(eras + i * 4) >= reading->since)
            changed_blocks_mark(reading->changed, first + i);
    return eras;
}

static bool add_bits(struct reading *reading, uint64_t key, const uint8_t *value)
{
    uint8_t block[BLOCK];
    uint32_t entries;
    uint64_t first;
    const uint8_t *words =
        read_values(reading, key, value, sizeof(uint64_t), block, &entries, &first);

    for (size_t i = 0; words && i < entries; i++) {
        uint64_t word = get64(words + i * 8);

        for (unsigned bit = 0; bit < 64; bit++)
            if (word >> bit & 1)
                changed_blocks_mark(reading->changed, (first + i) * 64 + bit);
    }
    return words;
}

static bool add_writeset(struct reading *reading, uint64_t key, const uint8_t *value)
{
    return key < reading->since ||
           walk(reading, get64(value + WRITESET_ROOT_AT), sizeof(uint64_t), add_bits, 0);
}

bool era_metadata_read(int fd, uint64_t snapshot, uint32_t since, struct changed_blocks *changed,
                       struct error *err)
{
    uint8_t superblock[BLOCK];
    off_t size = lseek(fd, 0, SEEK_END);
    struct reading reading = { .fd = fd, .since = since, .changed = changed, .err = err };

    if (size < 0)
        return error_set(err, ERROR_SYSTEM, "cannot read the notes of writes: %m");
    reading.blocks = (uint64_t)size / BLOCK;
    reading.budget = 16 * reading.blocks + 1; /* the eras since the last digest have a tree each */
    if (!read_block(&reading, snapshot, SUPERBLOCK_CHECKSUM, SUPERBLOCK_NUMBER_AT, superblock))
        return false;
    if (get64(superblock + SUPERBLOCK_MAGIC_AT) != SUPERBLOCK_MAGIC)
        return damaged(&reading, snapshot, "it is not era's");
    return walk(&reading, get64(superblock + SUPERBLOCK_WRITESETS_AT), WRITESET_SIZE, add_writeset,
                0) &&
           walk(&reading, get64(superblock + SUPERBLOCK_ARRAY_AT), sizeof(uint64_t), add_eras, 0);
}

/* Metadata of era, from a kernel that may have been told anything. Checksums and numbers are made
 * to fit: else no byte behind them would be looked at. Of each block the input has its kind and its
 * first bytes, which repeat.
 */
#include <endian.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/kernel-disks/era-metadata.h"
#include "xmig/bytes.h"

enum {
    BLOCK = 4096,
    GIVEN = 64, /* bytes of a block */
    MOST = 64   /* blocks */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t checksum(const uint8_t *bytes, size_t size)
{
    uint32_t sum = UINT32_MAX;

    while (size--) {
        sum ^= *bytes++;
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? 0x82f63b78 : 0);
    }
    return sum;
}

static void make_block(uint8_t *block, uint64_t number, const uint8_t *given)
{
    static const struct {
        uint32_t kind;
        size_t number_at;
    } kinds[] = { { 146538381, 8 }, { 121107, 8 }, { 595846735, 16 } };
    unsigned kind = given[0] % 3;
    uint32_t sum;

    for (size_t at = 0; at < BLOCK; at += GIVEN)
        memcpy(block + at, given + 1, GIVEN);
    number = htole64(number);
    memcpy(block + kinds[kind].number_at, &number, sizeof(number));
    if (kind == 0) /* the magic number; what leads to the trees repeats */
        memcpy(block + 32, "\x7b\x07\xc1\x7e\0\0\0\0", 8);
    sum = htole32(checksum(block + 4, BLOCK - 4) ^ kinds[kind].kind);
    memcpy(block, &sum, sizeof(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct changed_blocks changed;
    struct error err = { 0 };
    int fd = memfd_create("metadata", MFD_CLOEXEC);
    uint64_t offset, length, at = 0;
    uint8_t block[BLOCK];

    for (uint64_t i = 0; i < MOST && size > GIVEN; i++, data += GIVEN + 1, size -= GIVEN + 1) {
        make_block(block, i, data);
        if (!bytes_write(fd, block, BLOCK))
            abort();
    }
    changed_blocks_init(&changed, 1000 * 65536 + 512, 65536);
    if (!era_metadata_read(fd, 0, 2, &changed, &err) && err.kind != ERROR_SYSTEM)
        abort();
    for (; changed_blocks_next(&changed, at, &offset, &length); at = offset + length)
        if (offset < at || offset + length > changed.size)
            abort();
    changed_blocks_done(&changed);
    close(fd);
    return 0;
}

/* blkverify: checks the guest's working set in a raw disk image from the host.
 * No write that was acknowledged to the guest may be missing, no block may be
 * half a write or somebody else's. Writes after the last acknowledged one may
 * be there or not. The image must be at rest: paused guest, or no guest at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pattern.h"

enum {
    EXIT_BAD = 1,
    EXIT_TROUBLE = 2,
    SHOWN_MAX = 10
};

struct counts {
    uint64_t written, torn, foreign, stale;
    uint64_t newest; /* highest sequence number on the disk */
};

static bool parse_number(const char *text, uint64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoull(text, &end, 10);
    return !errno && end != text && !*end && *text != '-';
}

/* The newest acknowledged write of each block; 0: none. The caller frees it. */
static uint64_t *replay(uint64_t block_count, uint64_t acked)
{
    uint64_t *expected = calloc(block_count, sizeof(*expected));

    for (uint64_t seq = 1; expected && seq <= acked; seq++)
        expected[block_of_seq(seq, block_count)] = seq;
    return expected;
}

static void judge(const uint64_t *words, uint64_t disk, uint64_t block, uint64_t expected,
                  struct counts *counts)
{
    bool shown = counts->torn + counts->foreign + counts->stale < SHOWN_MAX;
    uint64_t seq;

    switch (block_check(words, disk, block, &seq)) {
    case BLOCK_TORN:
        counts->torn++;
        if (shown)
            printf("block %ju: torn\n", (uintmax_t)block);
        return;
    case BLOCK_FOREIGN:
        counts->foreign++;
        if (shown)
            printf("block %ju: is block %ju of disk %ju\n", (uintmax_t)block,
                   (uintmax_t)words[WORD_BLOCK], (uintmax_t)words[WORD_DISK]);
        return;
    case BLOCK_WHOLE:
        counts->written++;
        break;
    case BLOCK_EMPTY:
        break;
    }
    if (seq > counts->newest)
        counts->newest = seq;
    if (seq >= expected)
        return;
    counts->stale++;
    if (shown)
        printf("block %ju: stale, holds write %ju but %ju was acknowledged\n", (uintmax_t)block,
               (uintmax_t)seq, (uintmax_t)expected);
}

int main(int argc, char **argv)
{
    uint64_t disk, size_mib, acked, words[BLOCK_WORDS];
    struct counts counts = { 0 };

    if (argc != 5 || !parse_number(argv[2], &disk) || !parse_number(argv[3], &size_mib) ||
        !parse_number(argv[4], &acked) || size_mib < 1 || size_mib > 1 << 20) {
        fprintf(stderr, "usage: blkverify IMAGE_RAW DISK_ID WS_MIB ACKED\n");
        return EXIT_TROUBLE;
    }

    uint64_t block_count = (size_mib << 20) / BLOCK_BYTES;
    uint64_t *expected = replay(block_count, acked);
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);

    if (!expected || fd < 0) {
        fprintf(stderr, "blkverify: %s: %s\n", argv[1], strerror(errno));
        return EXIT_TROUBLE;
    }
    for (uint64_t block = 0; block < block_count; block++) {
        ssize_t got = pread(fd, words, BLOCK_BYTES, (off_t)(block * BLOCK_BYTES));

        if (got != BLOCK_BYTES) {
            fprintf(stderr, "blkverify: %s: block %ju: %s\n", argv[1], (uintmax_t)block,
                    got < 0 ? strerror(errno) : "the image ends before the working set");
            return EXIT_TROUBLE;
        }
        judge(words, disk, block, expected[block], &counts);
    }
    close(fd);
    free(expected);

    bool good = !counts.torn && !counts.foreign && !counts.stale;

    printf("%s: disk %ju: %s: %ju of %ju blocks written, newest write %ju, acknowledged %ju; "
           "%ju torn, %ju foreign, %ju stale\n",
           argv[1], (uintmax_t)disk, good ? "ok" : "BAD", (uintmax_t)counts.written,
           (uintmax_t)block_count, (uintmax_t)counts.newest, (uintmax_t)acked,
           (uintmax_t)counts.torn, (uintmax_t)counts.foreign, (uintmax_t)counts.stale);
    return good ? 0 : EXIT_BAD;
}

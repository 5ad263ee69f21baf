/* Metadata that Linux 6.1's era has written, with a snapshot held, and damaged copies. */
#include "host/kernel-disks/era-metadata.h"
#include "tests/unit/helpers.h"

enum {
    MIB = 1024 * 1024,
    BLOCK = 65536,
    NODE = 4096 /* a block of metadata */
};

static struct changed_blocks changed;
static struct error err;
static FILE *metadata;

/* A recording of tests/unit/era, unpacked. */
static void open_recording(const char *name, uint64_t size)
{
    char command[512], bytes[NODE];
    FILE *packed;
    size_t got;

    snprintf(command, sizeof(command), "gzip -dc %s/tests/unit/era/%s.gz", SOURCE_DIR, name);
    metadata = must(tmpfile());
    packed = must(popen(command, "r")); // NOLINT(cert-env33-c)
    while ((got = fread(bytes, 1, sizeof(bytes), packed)) > 0)
        assert_int_equal(fwrite(bytes, 1, got, metadata), got);
    assert_int_equal(pclose(packed), 0);
    assert_int_equal(fflush(metadata), 0);
    changed_blocks_init(&changed, size, BLOCK);
    err = (struct error){ 0 };
}

static int close_recording(void **unused)
{
    (void)unused;
    fclose(metadata);
    changed_blocks_done(&changed);
    return 0;
}

static bool read_since(uint64_t snapshot, uint32_t since)
{
    return era_metadata_read(fileno(metadata), snapshot, since, &changed, &err);
}

/* The marked blocks are these, up to -1. */
static void assert_marked(const int64_t *wanted)
{
    uint64_t offset, length;

    for (uint64_t at = 0; changed_blocks_next(&changed, at, &offset, &length); at = offset + length)
        for (uint64_t i = offset / BLOCK; i * BLOCK < offset + length; i++)
            assert_int_equal(i, *wanted++);
    assert_int_equal(*wanted, -1);
}

#define assert_blocks(...) assert_marked((const int64_t[]){ __VA_ARGS__, -1 })

static void blocks_of_all_eras_are_marked(void **unused)
{
    (void)unused;
    open_recording("64-mib", 64 * MIB);
    assert_ok(read_since(92, 1), &err);
    assert_blocks(0, 5, 6, 7, 9, 20, 21, 100, 300, 1023);
}

static void blocks_of_the_wanted_eras_are_marked(void **unused)
{
    (void)unused;
    open_recording("64-mib", 64 * MIB);
    assert_ok(read_since(92, 2), &err);
    assert_blocks(9, 20, 21, 300);
    changed_blocks_clear(&changed);
    assert_ok(read_since(92, 3), &err);
    assert_blocks(20, 21);
}

static void no_block_is_marked_of_an_era_without_writes(void **unused)
{
    (void)unused;
    open_recording("64-mib", 64 * MIB);
    assert_ok(read_since(92, 4), &err);
    assert_int_equal(changed_blocks_bytes(&changed), 0);
}

/* The tree of a million blocks has more than one level. */
static void a_large_volume_is_read_whole(void **unused)
{
    (void)unused;
    open_recording("64-gib", 65536ULL * MIB);
    assert_ok(read_since(1274, 1), &err);
    assert_blocks(0, 1, 2, 63, 64, 65, 1017, 1018, 32575, 32576, 500000, 700000, 1048574, 1048575);
    changed_blocks_clear(&changed);
    assert_ok(read_since(1274, 3), &err);
    assert_blocks(2, 32575, 32576);
}

/* Nothing is marked beyond what was asked for. */
static void more_blocks_than_the_volume_has_are_ignored(void **unused)
{
    (void)unused;
    open_recording("64-mib", MIB);
    assert_ok(read_since(92, 1), &err);
    assert_blocks(0, 5, 6, 7, 9);
}

static void refuses_to_read(uint64_t snapshot, const char *words)
{
    assert_false(read_since(snapshot, 1));
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_says(err.text, words);
}

static void a_block_that_is_no_superblock_is_noticed(void **unused)
{
    (void)unused;
    open_recording("64-mib", 64 * MIB);
    refuses_to_read(91, "block 91");
    refuses_to_read(1000000, "no");
}

/* Any bit of the blocks that are read, one in each of them. */
static void each_damaged_block_is_noticed(void **unused)
{
    char byte;
    int noticed = 0;

    (void)unused;
    open_recording("64-mib", 64 * MIB);
    for (long at = 100; at < 128L * NODE; at += NODE) {
        assert_int_equal(pread(fileno(metadata), &byte, 1, at), 1);
        byte ^= 16;
        assert_int_equal(pwrite(fileno(metadata), &byte, 1, at), 1);
        noticed += !read_since(92, 1);
        byte ^= 16;
        assert_int_equal(pwrite(fileno(metadata), &byte, 1, at), 1);
    }
    assert_true(noticed >= 5); /* the superblock, a tree and a block of each kind */
    assert_ok(read_since(92, 1), &err);
}

static void a_file_that_ends_too_soon_is_noticed(void **unused)
{
    (void)unused;
    open_recording("64-mib", 64 * MIB);
    assert_int_equal(ftruncate(fileno(metadata), 92L * NODE + 100), 0);
    refuses_to_read(92, "no");
}

static void blocks_grow_with_the_volume(void **unused)
{
    (void)unused;
    assert_int_equal(era_block_size(64ULL * MIB, 0), 65536);
    assert_int_equal(era_block_size(65535ULL * MIB, 512), 65536);
    assert_int_equal(era_block_size(1024ULL * 1024 * MIB, 0) >= MIB, true);
    assert_int_equal(era_block_size(64ULL * MIB, 4 * MIB), 4 * MIB);
}

/* A few MiB of memory, whatever the volume's size is. */
static void metadata_are_bounded(void **unused)
{
    (void)unused;
    for (int shift = 20; shift < 60; shift++) {
        uint64_t size = 1ULL << shift, block = era_block_size(size, 0);

        assert_true(era_metadata_size(size, block) <= 12ULL * MIB);
        assert_true(era_metadata_size(size, block) > 10 * (size / block));
        assert_int_equal(era_metadata_size(size, block) % NODE, 0);
    }
}

#define TEST(test) cmocka_unit_test_teardown(test, close_recording)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(blocks_of_all_eras_are_marked),
        TEST(blocks_of_the_wanted_eras_are_marked),
        TEST(no_block_is_marked_of_an_era_without_writes),
        TEST(a_large_volume_is_read_whole),
        TEST(more_blocks_than_the_volume_has_are_ignored),
        TEST(a_block_that_is_no_superblock_is_noticed),
        TEST(each_damaged_block_is_noticed),
        TEST(a_file_that_ends_too_soon_is_noticed),
        cmocka_unit_test(blocks_grow_with_the_volume),
        cmocka_unit_test(metadata_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

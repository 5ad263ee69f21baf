/* The bits of written blocks, and the ranges that they are. */
#include "host/kernel-disks/changed-blocks.h"
#include "tests/unit/helpers.h"

enum {
    BLOCK = 65536
};

static struct changed_blocks changed;

/* A volume of 20 blocks and a half. */
static int make_volume(void **unused)
{
    (void)unused;
    changed_blocks_init(&changed, 20 * BLOCK + BLOCK / 2, BLOCK);
    return 0;
}

static int free_volume(void **unused)
{
    (void)unused;
    changed_blocks_done(&changed);
    return 0;
}

static void assert_range(uint64_t from, uint64_t wanted_offset, uint64_t wanted_length)
{
    uint64_t offset, length;

    assert_true(changed_blocks_next(&changed, from, &offset, &length));
    assert_int_equal(offset, wanted_offset);
    assert_int_equal(length, wanted_length);
}

static void adjacent_blocks_are_one_range(void **unused)
{
    uint64_t offset, length;

    (void)unused;
    for (uint64_t i = 3; i < 19; i++)
        changed_blocks_mark(&changed, i);
    assert_range(0, 3 * BLOCK, 16 * BLOCK);
    assert_false(changed_blocks_next(&changed, 19 * BLOCK, &offset, &length));
    assert_int_equal(changed_blocks_bytes(&changed), 16 * BLOCK);
}

static void a_range_goes_on_within_a_block(void **unused)
{
    (void)unused;
    changed_blocks_mark(&changed, 3);
    changed_blocks_mark(&changed, 4);
    assert_range(3 * BLOCK + 512, 3 * BLOCK + 512, 2 * BLOCK - 512);
}

static void the_last_block_ends_with_the_volume(void **unused)
{
    (void)unused;
    changed_blocks_mark(&changed, 20);
    changed_blocks_mark(&changed, 21);
    assert_range(0, 20 * BLOCK, BLOCK / 2);
}

static void nothing_is_marked_at_first(void **unused)
{
    uint64_t offset, length;

    (void)unused;
    assert_int_equal(changed.count, 21);
    assert_false(changed_blocks_next(&changed, 0, &offset, &length));
}

static void each_marked_block_is_widened_by_one(void **unused)
{
    (void)unused;
    changed_blocks_mark(&changed, 2);
    changed_blocks_mark(&changed, 7);
    changed_blocks_mark(&changed, 8);
    changed_blocks_mark(&changed, 20);
    changed_blocks_widen(&changed);
    assert_range(0, 2 * BLOCK, 2 * BLOCK);
    assert_range(4 * BLOCK, 7 * BLOCK, 3 * BLOCK);
    assert_range(10 * BLOCK, 20 * BLOCK, BLOCK / 2);
}

static void what_was_not_copied_is_added_to_the_next_round(void **unused)
{
    struct changed_blocks more;

    (void)unused;
    changed_blocks_init(&more, changed.size, BLOCK);
    changed_blocks_mark(&changed, 1);
    changed_blocks_mark(&more, 2);
    changed_blocks_add(&changed, &more);
    changed_blocks_done(&more);
    assert_range(0, BLOCK, 2 * BLOCK);
    changed_blocks_clear(&changed);
    assert_int_equal(changed_blocks_bytes(&changed), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, make_volume, free_volume)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(adjacent_blocks_are_one_range),
        TEST(a_range_goes_on_within_a_block),
        TEST(the_last_block_ends_with_the_volume),
        TEST(nothing_is_marked_at_first),
        TEST(each_marked_block_is_widened_by_one),
        TEST(what_was_not_copied_is_added_to_the_next_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tables of the device mapper as the kernel prints them, and what era says. */
#include <sys/sysmacros.h>

#include "host/kernel-disks/origin-name.h"
#include "host/kernel-disks/tables.h"
#include "tests/unit/helpers.h"

static void refuses(const char *table, const char *word)
{
    struct error err = { 0 };

    assert_false(table_can_be_shared(table, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_non_null(strstr(err.text, word));
}

static void a_table_of_several_lines_can_be_shared(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    assert_true(table_can_be_shared("0 8192 linear 7:0 2048\n8192 8192 striped 2 128 7:0 0 7:1 0\n"
                                    "16384 8 crypt aes-xts-plain64 :64:logon:x:y 0 7:1 0\n",
                                    &err));
}

static void what_has_a_state_of_its_own_is_refused(void **unused)
{
    (void)unused;
    refuses("0 8 linear 7:0 0\n8 8 raid raid1 3 0 region_size 4096 2 - 253:0 - 253:1\n", "'raid'");
    refuses("0 8 snapshot-origin 253:3\n", "'snapshot-origin'");
    refuses("0 8 era 7:1 253:1 128\n", "already");
    refuses("", "no table");
    refuses("0 8 linear 7:0 0\nrubbish", "understood");
}

static void a_thin_volume_has_a_pool(void **unused)
{
    (void)unused;
    assert_int_equal(table_pool("0 8 linear 7:0 0\n8 8 thin 253:2 5\n"), makedev(253, 2));
    assert_int_equal(table_pool("0 8 thin-pool 253:1 253:2 128 0\n"), 0);
}

static void a_pool_that_is_nearly_full_is_an_error(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    assert_ok(pool_has_room("0 65536 thin-pool 1 11/1024 94/100 - rw no_discard_passdown\n", &err),
              &err);
    assert_false(pool_has_room("0 65536 thin-pool 1 11/1024 95/100 - rw\n", &err));
    assert_says(err.text, "nearly full");
    assert_false(pool_has_room("0 65536 thin-pool 1 1000/1024 5/100 - rw\n", &err));
    assert_false(pool_has_room("0 65536 thin-pool Fail\n", &err));
    assert_says(err.text, "out of order");
}

static void a_table_maps_up_to_the_end_of_its_last_line(void **unused)
{
    (void)unused;
    assert_int_equal(table_sectors("0 8192 linear 7:0 2048\n8192 4096 linear 7:1 0\n"), 12288);
    assert_int_equal(table_sectors(""), 0);
}

static void our_table_is_as_the_kernel_prints_it(void **unused)
{
    AUTO_FREE char *table = table_of_era(67108864, makedev(7, 1), makedev(253, 1), 65536);

    (void)unused;
    assert_string_equal(table, "0 131072 era 7:1 253:1 128\n");
    assert_true(table_tracks(table, makedev(253, 1)));
    assert_false(table_tracks(table, makedev(253, 2)));
    assert_false(table_tracks("0 131072 linear 253:1 0\n", makedev(253, 1)));
    assert_false(table_tracks("", makedev(253, 1)));
}

static void the_state_has_the_era_and_the_snapshot(void **unused)
{
    struct era_state state;
    struct error err = { 0 };

    (void)unused;
    assert_true(era_state_parse("0 131072 era 8 19/512 5 92\n", &state, &err));
    assert_false(state.failed);
    assert_int_equal(state.used, 19);
    assert_int_equal(state.most, 512);
    assert_int_equal(state.era, 5);
    assert_int_equal(state.snapshot, 92);
    assert_true(era_state_parse("0 131072 era 8 19/512 5 -\n", &state, &err));
    assert_int_equal(state.snapshot, 0);
}

static void an_error_is_a_state(void **unused)
{
    struct era_state state;
    struct error err = { 0 };

    (void)unused;
    assert_true(era_state_parse("0 131072 era Error\n", &state, &err));
    assert_true(state.failed);
}

static void the_state_of_another_type_is_an_error(void **unused)
{
    struct era_state state;
    struct error err = { 0 };

    (void)unused;
    assert_false(era_state_parse("0 131072 linear \n", &state, &err));
    assert_false(era_state_parse("0 131072 era 8 19/512\n", &state, &err));
    assert_false(era_state_parse("", &state, &err));
}

static void an_origin_is_known_by_its_name(void **unused)
{
    AUTO_FREE char *name = origin_name("0123456789abcdef", "xvda");

    (void)unused;
    assert_string_equal(name, "xmig-0123456789abcdef-xvda-orig");
    assert_true(origin_name_is(name, NULL));
    assert_true(origin_name_is(name, "0123456789abcdef"));
    assert_false(origin_name_is(name, "0123456789abcde"));
    assert_false(origin_name_is("xmig-0123456789abcdef-xvda", NULL));
    assert_false(origin_name_is("lab-xmig-1-orig", NULL));
    assert_false(origin_name_is("xmig-orig", NULL));
}

static void a_logical_volumes_name_is_no_origins(void **unused)
{
    (void)unused;
    assert_false(origin_name_is("xmig-web--orig", NULL));
    assert_false(origin_name_is("xmig-web-orig", NULL));
    assert_false(origin_name_is("xmig-0123456789abcdef--xvda-orig", NULL));
    assert_false(origin_name_is("xmig-0123456789abcdef-xvda--orig", NULL));
    assert_false(origin_name_is("xmig-0123456789abcdef-xv-da-orig", NULL));
    assert_false(origin_name_is("xmig-0123456789abcdef--orig", NULL));
    assert_false(origin_name_is("xmig-0123456789abcdefa-xvda-orig", NULL));
    assert_false(origin_name_is("", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_of_several_lines_can_be_shared),
        cmocka_unit_test(what_has_a_state_of_its_own_is_refused),
        cmocka_unit_test(a_thin_volume_has_a_pool),
        cmocka_unit_test(a_pool_that_is_nearly_full_is_an_error),
        cmocka_unit_test(a_table_maps_up_to_the_end_of_its_last_line),
        cmocka_unit_test(our_table_is_as_the_kernel_prints_it),
        cmocka_unit_test(the_state_has_the_era_and_the_snapshot),
        cmocka_unit_test(an_error_is_a_state),
        cmocka_unit_test(the_state_of_another_type_is_an_error),
        cmocka_unit_test(an_origin_is_known_by_its_name),
        cmocka_unit_test(a_logical_volumes_name_is_no_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

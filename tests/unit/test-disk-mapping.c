/* A larger device is shown as large as the disk: what dmsetup is asked, and that it is there. */
#include "host/images/disk-mapping.h"

#include "host/images/disk-images.h"
#include "tests/unit/helpers.h"

enum {
    SIZE = 10 * 1024 * 1024
};

static void is_named_for_the_migration_and_the_disk(void **unused)
{
    AUTO_FREE char *path = disk_mapping_path("00112233aabbccdd", "xvda");
    (void)unused;

    assert_string_equal(path, "/dev/mapper/xmig-00112233aabbccdd-xvda");
}

static void is_told_as_a_command_that_counts_in_sectors(void **unused)
{
    AUTO_FREE char *command = disk_mapping_command("/dev/mapper/xmig-1-hda", "/dev/vg/lv", SIZE);
    (void)unused;

    assert_string_equal(command, "dmsetup create xmig-1-hda --table '0 20480 linear /dev/vg/lv 0'");
}

static void is_refused_without_dmsetup_and_the_cure_is_said(void **unused)
{
    AUTO_FREE char *path = must(strdup(getenv("PATH")));
    struct error err = { 0 };
    bool found;
    (void)unused;

    setenv("PATH", "/nowhere", 1);
    found = disk_mapping_check(&err);
    setenv("PATH", path, 1);
    assert_false(found);
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, "dmsetup");
    assert_says(err.text, "install it, or name a device of exactly the disk's size");
}

static void of_what_is_not_there_nothing_is_removed(void **unused)
{
    struct loop *loop = loop_new();
    struct error err = { 0 };
    (void)unused;

    assert_true(disk_mapping_remove(loop, "/dev/mapper/xmig-test-nothing", &err));
    loop_free(loop);
}

static void one_device_serves_no_two_disks(void **unused)
{
    struct disk_params disks[] = {
        { .name = "xvda", .image = "/dev/mapper/xmig-1-xvda", .device = "/dev/vg/lv" },
        { .name = "xvdb", .image = "/dev/vg/lv" },
    };
    const struct disk_images images = { .disks = disks, .disk_count = 2, .maps_larger = true };
    struct error err = { 0 };
    (void)unused;

    assert_false(disk_images_check(&images, &disks[1], &err));
    assert_says(err.text, "'/dev/vg/lv' cannot be the image of disk 'xvda' as well");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_named_for_the_migration_and_the_disk),
        cmocka_unit_test(is_told_as_a_command_that_counts_in_sectors),
        cmocka_unit_test(is_refused_without_dmsetup_and_the_cure_is_said),
        cmocka_unit_test(of_what_is_not_there_nothing_is_removed),
        cmocka_unit_test(one_device_serves_no_two_disks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the kernel's backend says of the devices that it has open. */
#include "host/xen/ground/vbd.h"

#include <sys/sysmacros.h>

#include "tests/unit/helpers.h"
#include "xmig/text.h"

static void open_disk(const char *dir, const char *name, const char *device)
{
    AUTO_FREE char *disk = formatted("%s/%s", dir, name);
    AUTO_FREE char *path = formatted("%s/physical_device", disk);
    FILE *file;

    assert_int_equal(mkdir(disk, 0700), 0);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(device, file);
    fclose(file);
}

static void numbers_are_hexadecimal(void **unused)
{
    char *dir = make_directory();
    dev_t device;
    (void)unused;

    open_disk(dir, "vbd-7-51712", "fd:1a\n");
    assert_true(vbd_device(dir, 7, "51712", &device));
    assert_int_equal(device, makedev(0xfd, 0x1a));
    remove_all(dir);
}

static void what_is_not_open_has_no_device(void **unused)
{
    char *dir = make_directory();
    dev_t device;
    (void)unused;

    open_disk(dir, "vbd-7-51712", "0:0\n");
    open_disk(dir, "vbd-7-51728", "");
    assert_false(vbd_device(dir, 7, "51712", &device));
    assert_false(vbd_device(dir, 7, "51728", &device));
    assert_false(vbd_device(dir, 7, "51744", &device));
    remove_all(dir);
}

static void another_domains_disk_is_found_by_its_numbers(void **unused)
{
    char *dir = make_directory();
    uint32_t domid;
    (void)unused;

    open_disk(dir, "vbd-7-51712", "fd:1\n");
    open_disk(dir, "vbd-8-768", "fd:2\n");
    assert_true(vbd_has_other(dir, makedev(0xfd, 2), 7, &domid));
    assert_int_equal(domid, 8);
    assert_false(vbd_has_other(dir, makedev(0xfd, 2), 8, &domid));
    assert_false(vbd_has_other(dir, makedev(0xfd, 3), 7, &domid));
    remove_all(dir);
}

/* No test has a block device; a file is none, whatever its numbers are. */
static void a_name_that_leads_elsewhere_is_refused(void **unused)
{
    char *dir = make_directory();
    struct error err = { 0 };
    (void)unused;

    open_disk(dir, "vbd-7-51712", "fd:1\n");
    assert_false(vbd_is_at(dir, 7, "51712", "/dev/null", &err));
    assert_says(err.text, "the device 253:1, and '/dev/null' is another one");
    assert_false(vbd_is_at(dir, 7, "51728", "/dev/null", &err));
    assert_says(err.text, "has no device open");
    remove_all(dir);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_hexadecimal),
        cmocka_unit_test(what_is_not_open_has_no_device),
        cmocka_unit_test(another_domains_disk_is_found_by_its_numbers),
        cmocka_unit_test(a_name_that_leads_elsewhere_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

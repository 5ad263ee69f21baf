/* Which of a disk's two ways is mirrored. */
#include "host/xen/guest/guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define BLOCK(device, node)                                                                        \
    "{\"device\":\"" device "\",\"inserted\":{\"node-name\":\"" node "\",\"drv\":\"raw\","         \
    "\"image\":{\"filename\":\"/srv/web.raw\"}}}"
#define EMULATED BLOCK("ide0-hd0", "#block107")
#define PV BLOCK("", "hda-raw")
#define ANOTHERS                                                                                   \
    "{\"device\":\"\",\"inserted\":{\"node-name\":\"hdb-raw\",\"image\":{\"filename\":\"/srv/"     \
    "b.raw\"}}}"

static struct xen_disk hda(void)
{
    return (struct xen_disk){ .params = { .name = "hda", .source = "/srv/web.raw" } };
}

static void is_mirrored_from(const char *device, const char *text, bool connected)
{
    struct xen_disk disk = hda();
    struct error err = { 0 };
    AUTO_JSON cJSON *blocks = cJSON_Parse(text);
    const cJSON *block;

    if (!disk_find_way(&disk, blocks, connected, &block, &err))
        fail_msg("%s", err.text);
    assert_non_null(block);
    assert_string_equal(disk_device_name(&disk, block), device);
}

static void is_refused(const char *because, const char *text, bool connected, bool is_kernels)
{
    struct xen_disk disk = hda();
    struct error err = { 0 };
    AUTO_JSON cJSON *blocks = cJSON_Parse(text);
    const cJSON *block;

    disk.is_kernels = is_kernels;
    assert_false(disk_find_way(&disk, blocks, connected, &block, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_non_null(strstr(err.text, because));
}

static void a_guest_without_pv_drivers_uses_the_emulated_disk(void **unused)
{
    (void)unused;
    is_mirrored_from("ide0-hd0", "[" PV "," EMULATED "]", false);
}

static void a_guest_that_has_unplugged_the_emulated_disk_uses_the_pv_one(void **unused)
{
    (void)unused;
    is_mirrored_from("hda-raw", "[" ANOTHERS "," PV "]", true);
}

static void a_disk_without_an_emulated_twin_is_mirrored_before_it_is_used(void **unused)
{
    (void)unused;
    is_mirrored_from("hda-raw", "[" PV "]", false);
}

static void a_guest_that_could_use_either_way_is_refused(void **unused)
{
    (void)unused;
    is_refused("either way", "[" PV "," EMULATED "]", true, false);
}

static void is_tracked(const char *text, bool connected)
{
    struct xen_disk disk = hda();
    struct error err = { 0 };
    AUTO_JSON cJSON *blocks = cJSON_Parse(text);
    const cJSON *block;

    disk.is_kernels = true;
    if (!disk_find_way(&disk, blocks, connected, &block, &err))
        fail_msg("%s", err.text);
    assert_true(disk.is_tracked);
    assert_false(disk.is_emulated);
    assert_string_equal(disk_device_name(&disk, block), "");
}

static void a_pv_disk_that_the_kernel_serves_is_tracked(void **unused)
{
    (void)unused;
    is_tracked("[" ANOTHERS "]", true);
}

static void a_kernels_disk_without_a_twin_is_tracked_before_it_is_used(void **unused)
{
    (void)unused;
    is_tracked("[" ANOTHERS "]", false);
}

static void a_kernels_disk_whose_twin_is_not_unplugged_is_refused(void **unused)
{
    (void)unused;
    is_refused("either way", "[" EMULATED "]", true, true);
}

static void the_emulated_twin_of_a_kernels_disk_is_mirrored(void **unused)
{
    (void)unused;
    is_mirrored_from("ide0-hd0", "[" EMULATED "]", false);
}

static void what_the_device_model_has_not_opened_is_refused(void **unused)
{
    (void)unused;
    is_refused("does not have it open", "[" ANOTHERS "]", false, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_without_pv_drivers_uses_the_emulated_disk),
        cmocka_unit_test(a_guest_that_has_unplugged_the_emulated_disk_uses_the_pv_one),
        cmocka_unit_test(a_disk_without_an_emulated_twin_is_mirrored_before_it_is_used),
        cmocka_unit_test(a_guest_that_could_use_either_way_is_refused),
        cmocka_unit_test(a_pv_disk_that_the_kernel_serves_is_tracked),
        cmocka_unit_test(a_kernels_disk_without_a_twin_is_tracked_before_it_is_used),
        cmocka_unit_test(a_kernels_disk_whose_twin_is_not_unplugged_is_refused),
        cmocka_unit_test(the_emulated_twin_of_a_kernels_disk_is_mirrored),
        cmocka_unit_test(what_the_device_model_has_not_opened_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

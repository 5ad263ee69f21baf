/* QEMUs with a known fault, and those that have none. The QEMU is only a greeting. */
#include "qmp/known-faults.h"
#include "tests/fake/fake-qemu.h"
#include "tests/unit/helpers.h"
#include "xmig/text.h"

static void has(const char *name, unsigned major, unsigned minor, unsigned micro, bool expected)
{
    if (known_fault_has(name, major, minor, micro) != expected)
        fail_msg("%s in %u.%u.%u", name, major, minor, micro);
}

static void knows_which_versions_miss_writes_as_a_mirror_begins(void **unused)
{
    (void)unused;
    has(FAULT_MIRROR_START, 7, 2, 22, false);
    has(FAULT_MIRROR_START, 8, 0, 0, true);
    has(FAULT_MIRROR_START, 9, 2, 4, true);
    has(FAULT_MIRROR_START, 10, 0, 8, true);
    has(FAULT_MIRROR_START, 10, 0, 9, false);
    has(FAULT_MIRROR_START, 10, 0, 13, false);
    has(FAULT_MIRROR_START, 10, 1, 0, true);
    has(FAULT_MIRROR_START, 10, 2, 1, true);
    has(FAULT_MIRROR_START, 10, 2, 2, false);
    has(FAULT_MIRROR_START, 11, 1, 3, false);
}

static void knows_which_versions_hang_in_a_trim(void **unused)
{
    (void)unused;
    has(FAULT_IDE_TRIM, 7, 2, 22, true);
    has(FAULT_IDE_TRIM, 10, 0, 9, true);
    has(FAULT_IDE_TRIM, 10, 0, 10, false);
    has(FAULT_IDE_TRIM, 11, 0, 3, true);
    has(FAULT_IDE_TRIM, 11, 1, 0, false);
}

/* Asked of a QEMU that greets with that version. */
static bool may_move(unsigned major, unsigned minor, unsigned micro, const cJSON *despite,
                     struct error *err)
{
    const struct exchange none[] = { { 0 } };
    struct loop *loop = loop_new();
    struct fake_qemu *fake = fake_qemu_new(loop, none);
    AUTO_FREE char *greeting =
        formatted("{\"QMP\": {\"version\": {\"qemu\": {\"micro\": %u, \"minor\": %u, \"major\": "
                  "%u}, \"package\": \"Debian\"}, \"capabilities\": [\"oob\"]}}",
                  micro, minor, major);
    struct qmp *q;
    bool ok;

    fake_qemu_greet_with(fake, greeting);
    q = qmp_connect(loop, fake_qemu_path(fake), QMP_CONNECT_MS, err);
    assert_non_null(q);
    ok = known_fault_refuse(FAULT_MIRROR_START, q, despite, err);
    qmp_free(q);
    fake_qemu_free(fake);
    loop_free(loop);
    return ok;
}

static void refuses_a_qemu_with_the_fault(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    assert_false(may_move(10, 0, 2, NULL, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, "QEMU 10.0.2");
    assert_says(err.text, "Debian bug 1129349");
    assert_says(err.text, "--despite mirror-start");
}

static void takes_a_qemu_without_the_fault(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    assert_ok(may_move(7, 2, 22, NULL, &err), &err);
    assert_ok(may_move(10, 0, 13, NULL, &err), &err);
}

static void takes_a_qemu_with_the_fault_if_told(void **unused)
{
    AUTO_JSON cJSON *despite = must(cJSON_CreateObject());
    struct error err = { 0 };
    (void)unused;

    cJSON_AddTrueToObject(despite, FAULT_IDE_TRIM);
    assert_false(may_move(10, 0, 2, despite, &err));
    cJSON_AddTrueToObject(despite, FAULT_MIRROR_START);
    assert_true(may_move(10, 0, 2, despite, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_which_versions_miss_writes_as_a_mirror_begins),
        cmocka_unit_test(knows_which_versions_hang_in_a_trim),
        cmocka_unit_test(refuses_a_qemu_with_the_fault),
        cmocka_unit_test(takes_a_qemu_without_the_fault),
        cmocka_unit_test(takes_a_qemu_with_the_fault_if_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

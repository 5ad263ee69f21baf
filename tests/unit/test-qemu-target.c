/* What the target asks of its QEMU before it says that the VM is complete, and what a refusal
 * means afterwards. The QEMU is only a script.
 */
#include "host/qemu/copy/copy.h"
#include "tests/fake/fake-qemu.h"
#include "tests/unit/helpers.h"
#include "xmig/copy-calls.h"
#include "xmig/hypervisor-calls.h"

#define SAYS_COMPLETED "query-migrate", .reply = "{\"status\": \"completed\"}"
#define SAYS_PAUSED "query-status", .reply = "{\"running\": false, \"status\": \"paused\"}"

/* What a test does with a target that mirrors its disks. */
typedef bool deed(struct copy *copy, struct error *err);

static bool run_against(const struct exchange *script, deed *act, struct error *err)
{
    struct loop *loop = loop_new();
    struct fake_qemu *fake = fake_qemu_new(loop, script);
    struct vm_context context = {
        .loop = loop,
        .id = "0123456789abcdef",
        .runtime_dir = "/nonexistent",
        .options = { .mirrors_disks = true },
    };
    struct copy *copy = hypervisor_copy(&qemu_hypervisor, &context, err);
    struct qemu *qemu = &qemu_copy_of(copy)->qemu;
    bool ok;

    copy->known = true;
    qemu->socket = must(strdup(fake_qemu_path(fake)));
    qemu->q = qmp_connect(loop, qemu->socket, QMP_CONNECT_MS, err);
    assert_non_null(qemu->q);
    ok = act(copy, err);
    assert_null(fake_qemu_complaint(fake));
    copy_free(copy);
    fake_qemu_free(fake);
    loop_free(loop);
    return ok;
}

static void succeeds(const struct exchange *script, deed *act)
{
    struct error err = { 0 };

    assert_ok(run_against(script, act, &err), &err);
}

static struct error failure_of(const struct exchange *script, deed *act)
{
    struct error err = { 0 };

    assert_false(run_against(script, act, &err));
    return err;
}

static bool seal(struct copy *copy, struct error *err)
{
    return copy_seal(copy, err);
}

static bool resume(struct copy *copy, struct error *err)
{
    return copy_resume(copy, err);
}

static bool listen_and_receive(struct copy *copy, struct error *err)
{
    return copy_ram_listen(copy, err) && copy_ram_recv(copy, err);
}

static bool can_arrive(struct copy *copy, struct error *err)
{
    return devices_can_arrive(qemu_copy_of(copy), err);
}

static void a_device_that_qemu_does_not_load_ends_the_move_before_disks_are_copied(void **unused)
{
    const struct exchange refused[] = {
        { "query-migrate", .reply = "{\"blocked-reasons\": [\"non-migratable device: nvme\"]}" },
        { 0 },
    };
    const struct exchange fine[] = { { "query-migrate", .reply = "{}" }, { 0 } };
    struct error err = failure_of(refused, can_arrive);
    (void)unused;

    assert_says(err.text, "cannot take this VM: non-migratable device: nvme");
    succeeds(fine, can_arrive);
}

static void ends_the_exports_once_all_is_here(void **unused)
{
    const struct exchange script[] = {
        { SAYS_COMPLETED },
        { SAYS_PAUSED },
        { "nbd-server-stop", .reply = NULL },
        { "query-block-exports", .reply = "[]" },
        { 0 },
    };
    (void)unused;

    succeeds(script, seal);
}

static void is_not_complete_while_an_export_lives(void **unused)
{
    const struct exchange script[] = {
        { SAYS_COMPLETED },
        { SAYS_PAUSED },
        { "nbd-server-stop", .reply = NULL },
        { "query-block-exports", .reply = "[{\"id\": \"xmig-vda\"}]" },
        { 0 },
    };
    struct error err = failure_of(script, seal);
    (void)unused;

    assert_int_equal(err.kind, ERROR_SYSTEM);
}

static void is_not_complete_before_qemu_says_so(void **unused)
{
    const struct exchange script[] = {
        { "query-migrate", .reply = "{\"status\": \"active\"}" },
        { "query-status", .reply = "{\"running\": false, \"status\": \"inmigrate\"}" },
        { 0 },
    };
    (void)unused;

    failure_of(script, seal);
}

static void is_not_complete_when_the_guest_runs_already(void **unused)
{
    const struct exchange script[] = {
        { SAYS_COMPLETED },
        { "query-status", .reply = "{\"running\": true, \"status\": \"running\"}" },
        { 0 },
    };
    (void)unused;

    failure_of(script, seal);
}

static void a_refusal_to_run_proves_that_it_never_ran(void **unused)
{
    const struct exchange script[] = { { "cont", .reply = "error: Failed to get write lock" },
                                       { 0 } };
    struct error err = failure_of(script, resume);
    (void)unused;

    assert_int_equal(err.kind, ERROR_SYSTEM);
}

static void a_qemu_that_dies_when_told_to_run_proves_nothing(void **unused)
{
    const struct exchange script[] = { { "cont", .action = FAKE_HANG_UP }, { 0 } };
    struct error err = failure_of(script, resume);
    (void)unused;

    assert_int_equal(err.kind, ERROR_LOST);
}

#define MIGRATION(STATUS) "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"" STATUS "\"}}"

static void waits_until_qemu_has_loaded_all(void **unused)
{
    const struct exchange script[] = {
        { "migrate-incoming", .events = { MIGRATION("active"), MIGRATION("completed") } },
        { 0 },
    };
    (void)unused;

    succeeds(script, listen_and_receive);
}

static void takes_a_failed_load_for_a_failure(void **unused)
{
    const struct exchange script[] = {
        { "migrate-incoming", .events = { MIGRATION("active"), MIGRATION("failed") } },
        { 0 },
    };
    struct error err = failure_of(script, listen_and_receive);
    (void)unused;

    assert_int_equal(err.kind, ERROR_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_qemu_does_not_load_ends_the_move_before_disks_are_copied),
        cmocka_unit_test(ends_the_exports_once_all_is_here),
        cmocka_unit_test(is_not_complete_while_an_export_lives),
        cmocka_unit_test(is_not_complete_before_qemu_says_so),
        cmocka_unit_test(is_not_complete_when_the_guest_runs_already),
        cmocka_unit_test(a_refusal_to_run_proves_that_it_never_ran),
        cmocka_unit_test(a_qemu_that_dies_when_told_to_run_proves_nothing),
        cmocka_unit_test(waits_until_qemu_has_loaded_all),
        cmocka_unit_test(takes_a_failed_load_for_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whether LVM's locks are where they are looked for. */
#include "host/kernel-disks/lvm-lock.h"

#include "tests/unit/helpers.h"

static char *root;

static void run(const char *words)
{
    char command[512];

    snprintf(command, sizeof(command), "set -e; cd %s; %s", root, words);
    assert_int_equal(system(command), 0);
}

static int make_root(void **unused)
{
    (void)unused;
    root = make_directory();
    run("mkdir -p run/lock/lvm run/lvm etc/lvm");
    return 0;
}

static int remove_root(void **unused)
{
    (void)unused;
    remove_all(root);
    return 0;
}

static void assert_refuses(const char *words)
{
    struct error err = { 0 };

    assert_false(lvm_lock_is_lvms(root, &err));
    assert_says(err.text, words);
}

static void without_a_configuration_it_is_lvms(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    assert_ok(lvm_lock_is_lvms(root, &err), &err);
}

static void what_is_configured_as_it_is_by_itself_changes_nothing(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    run("printf 'global {\\n\\t# locking_dir = \"/a\"\\n\\tlocking_dir = \"/run/lock/lvm\"\\n"
        "\\tuse_lvmlockd = 0\\n}\\n' >etc/lvm/lvm.conf");
    assert_ok(lvm_lock_is_lvms(root, &err), &err);
}

static void another_directory_is_refused(void **unused)
{
    (void)unused;
    run("printf 'global/locking_dir = \"/a\"\\n' >etc/lvm/lvmlocal.conf");
    assert_refuses("lvmlocal.conf");
    run("rm etc/lvm/lvmlocal.conf; rmdir run/lock/lvm");
    assert_refuses("no locks");
}

static void lvmlockd_is_refused(void **unused)
{
    (void)unused;
    run("printf 'global {\\n\\tuse_lvmlockd=1\\n}\\n' >etc/lvm/lvm.conf");
    assert_refuses("lvm.conf");
    run("rm etc/lvm/lvm.conf; touch run/lvm/lvmlockd.socket");
    assert_refuses("lvmlockd");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_configuration_it_is_lvms),
        TEST(what_is_configured_as_it_is_by_itself_changes_nothing),
        TEST(another_directory_is_refused),
        TEST(lvmlockd_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

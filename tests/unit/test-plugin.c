/* A hypervisor's plugin: only one that fits is loaded, and only where nobody can change it. */
#include "host/plugin.h"

#include <sys/stat.h>

#include "tests/unit/helpers.h"
#include "xmig/text.h"

static char *dir, *path;

static int begin(void **state)
{
    (void)state;
    dir = make_directory();
    path = formatted("%s/plugin.so", dir);
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(path);
    remove_all(dir);
    return 0;
}

static void install(const char *file)
{
    AUTO_FREE char *command = formatted("cp '%s' '%s' && chmod 644 '%s'", file, path, path);

    assert_int_equal(system(command), 0);
}

static void is_refused(const char *why)
{
    struct error err = { 0 };

    assert_null(plugin_load(path, "xmig-example", &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    if (!strstr(err.text, why))
        fail_msg("'%s' has no '%s'", err.text, why);
}

static void is_taken_as(const char *name)
{
    struct error err = { 0 };
    const struct hypervisor *hypervisor = plugin_load(path, "xmig-example", &err);

    if (!hypervisor)
        fail_msg("%s", err.text);
    assert_string_equal(hypervisor->name, name);
}

static void one_of_this_build_is_loaded(void **state)
{
    (void)state;
    install(PLUGINS "/plugin-fitting.so");
    is_taken_as("example");
}

static void one_that_is_not_there_names_the_package(void **state)
{
    (void)state;
    is_refused("the package xmig-example is not installed");
}

static void one_of_another_build_is_refused(void **state)
{
    (void)state;
    install(PLUGINS "/plugin-other.so");
    is_refused("another build of xmig (0123456789abcdef");
    is_refused("install xmig and xmig-example of the same version");
}

static void a_file_that_is_none_is_refused(void **state)
{
    (void)state;
    install("/etc/passwd");
    is_refused("cannot load");
}

static void a_file_that_others_may_change_is_refused(void **state)
{
    (void)state;
    install(PLUGINS "/plugin-fitting.so");
    assert_int_equal(chmod(path, 0666), 0);
    is_refused("others may write to");
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(chmod(dir, 0777), 0);
    is_refused("others may write in the directory");
}

#ifdef XEN
static void xens_fits(void **state)
{
    (void)state;
    install(XEN);
    is_taken_as("xen");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_of_this_build_is_loaded, begin, end),
        cmocka_unit_test_setup_teardown(one_that_is_not_there_names_the_package, begin, end),
        cmocka_unit_test_setup_teardown(one_of_another_build_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_is_none_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_others_may_change_is_refused, begin, end),
#ifdef XEN
        cmocka_unit_test_setup_teardown(xens_fits, begin, end),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which program a name from another host means here. */
#include "host/system/program.h"

#include "tests/unit/helpers.h"
#include "xmig/text.h"

static char *dir, *program;

static int begin(void **state)
{
    AUTO_FREE char *path = NULL;
    (void)state;

    dir = make_directory();
    program = formatted("%s/qemu-system-x86_64", dir);
    close(open(program, O_CREAT | O_WRONLY | O_CLOEXEC, 0700));
    path = formatted("/usr/bin:%s", dir);
    return setenv("PATH", path, true);
}

static int end(void **state)
{
    (void)state;
    free(program);
    remove_all(dir);
    return 0;
}

static void means(const char *wanted, const char *here)
{
    AUTO_FREE char *found = program_find_own(wanted);

    if (here)
        assert_string_equal(found, here);
    else
        assert_null(found);
}

static void a_name_is_looked_for_in_path(void **state)
{
    (void)state;
    means("env", "/usr/bin/env");
    means("no-such-program", NULL);
    means("", NULL);
}

static void a_path_counts_where_this_hosts_programs_are(void **state)
{
    (void)state;
    means("/usr/bin/env", "/usr/bin/env");
    means(program, program);
    means("/opt/bin/env", "/usr/bin/env");
}

/* The source's own, or one that somebody has put there. */
static void a_path_elsewhere_is_no_program(void **state)
{
    AUTO_FREE char *elsewhere = formatted("%s/below", dir);
    AUTO_FREE char *other = formatted("%s/other-program", elsewhere);
    AUTO_FREE char *way = formatted("/usr/bin/../..%s", other);
    (void)state;

    mkdir(elsewhere, 0700);
    close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0700));
    means(other, NULL);
    means(way, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_looked_for_in_path),
        cmocka_unit_test(a_path_counts_where_this_hosts_programs_are),
        cmocka_unit_test(a_path_elsewhere_is_no_program),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

/* Which program a name from another host means here. */
#include "host/line-files.h"
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

/* A person has said so at this host. */
static void a_path_elsewhere_counts_if_the_policy_names_it(void **state)
{
    static const char *const names[] = { "alice", NULL };
    AUTO_FREE char *conf = formatted("%s/recv.conf", dir);
    AUTO_FREE char *elsewhere = formatted("%s/below-2", dir);
    AUTO_FREE char *other = formatted("%s/qemu-system-x86_64", elsewhere);
    AUTO_FREE char *found = NULL, *chosen = NULL, *own = NULL;
    FILE *file = must(fopen(conf, "w"));
    struct policy *policy;
    (void)state;

    mkdir(elsewhere, 0700);
    close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0700));
    fprintf(file, "[alice]\nprograms = %s\n", other);
    fclose(file);
    assert_int_equal(chmod(conf, 0644), 0);
    policy = policy_load(dir, names);
    found = line_program_find(other, false, policy);
    assert_string_equal(found, other);
    own = line_program_find(other, false, NULL);
    assert_non_null(own);
    assert_string_not_equal(own, other);
    chosen = line_program_find(other, true, NULL);
    assert_null(chosen);
    policy_free(policy);
}

static void one_that_does_not_end_is_killed_and_that_is_said(void **state)
{
    struct loop *loop = loop_new();
    struct error err = { 0 };
    (void)state;

    assert_false(
        program_run(loop, (const char *const[]){ "/bin/sleep", "600", NULL }, NULL, 1000, &err));
    assert_string_equal(err.text, "/bin/sleep: it was killed, for it had not ended within 1 s");
    loop_free(loop);
}

/* QEMU 7.2 and 10.0 list what -spice takes, and end as after a mistake. */
static void what_a_program_says_is_known_whatever_its_status(void **unused)
{
    const char *const words[] = { "sh", "-c", "echo said; exit 3", NULL };
    struct loop *loop = loop_new();
    struct error err = { 0 };
    char *said = NULL;
    int status = 0;
    (void)unused;

    assert_ok(program_output(loop, words, &said, &status, 10000, &err), &err);
    assert_string_equal(said, "said\n");
    assert_int_equal(status, 3);
    free(steal(said));
    assert_false(program_run(loop, words, &said, 10000, &err));
    assert_null(said);
    assert_says(err.text, "said");
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_looked_for_in_path),
        cmocka_unit_test(what_a_program_says_is_known_whatever_its_status),
        cmocka_unit_test(a_path_counts_where_this_hosts_programs_are),
        cmocka_unit_test(a_path_elsewhere_is_no_program),
        cmocka_unit_test(a_path_elsewhere_counts_if_the_policy_names_it),
        cmocka_unit_test(one_that_does_not_end_is_killed_and_that_is_said),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

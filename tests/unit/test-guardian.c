/* Who watches over a migration, and who is at it, as locks tell. */
#include "pipeline/commit/guardian.h"

#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/helpers.h"

#define ID "0123456789abcdef"

static struct migration m;
static char *dir;

static int make_place(void **unused)
{
    AUTO_FREE char *own = NULL;
    (void)unused;

    dir = make_directory();
    if (asprintf(&own, "%s/" ID, dir) < 0 || mkdir(own, 0700))
        return -1;
    m = (struct migration){ .state_dir = dir, .id = ID, .side = SIDE_SEND };
    return 0;
}

static int remove_place(void **unused)
{
    AUTO_FREE char *own = NULL;
    (void)unused;

    guardian_leave(dir, ID, SIDE_SEND);
    if (asprintf(&own, "%s/" ID, dir) < 0)
        abort();
    assert_int_equal(rmdir(own), 0);
    remove_empty(dir);
    return 0;
}

static bool watch(void)
{
    return guardian_watch(dir, ID, SIDE_SEND, NULL);
}

static bool begin_attempt(void)
{
    return guardian_begin_attempt(&m, NULL);
}

/* A process that has done this, and lives until it is ended. */
static pid_t child_that(bool (*does)(void))
{
    int done[2];
    char word = 'n';
    pid_t pid;

    assert_int_equal(pipe(done), 0);
    pid = fork();
    if (pid == 0) {
        word = does() ? 'y' : 'n';
        if (write(done[1], &word, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(done[0], &word, 1), 1);
    assert_int_equal(word, 'y');
    close(done[0]);
    close(done[1]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void one_watches_and_a_second_is_refused(void **unused)
{
    struct error err = { 0 };
    pid_t pid;
    (void)unused;

    assert_int_equal(guardian_pid(dir, ID, SIDE_SEND), 0);
    pid = child_that(watch);
    assert_int_equal(guardian_pid(dir, ID, SIDE_SEND), pid);
    assert_false(guardian_watch(dir, ID, SIDE_SEND, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    end(pid);
    assert_int_equal(guardian_pid(dir, ID, SIDE_SEND), 0);
    assert_true(watch());
}

/* The guardian is this very program: see main(). */
static void a_guardian_that_has_started_is_no_failure(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    m.loop = loop_new();
    assert_ok(guardian_start(&m, &err), &err);
    loop_free(m.loop);
}

static void without_a_place_there_is_no_lock(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    assert_false(guardian_watch("/nowhere", ID, SIDE_SEND, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
}

static void an_attempt_is_no_watch(void **unused)
{
    pid_t pid = child_that(begin_attempt);
    (void)unused;

    assert_int_equal(guardian_pid(dir, ID, SIDE_SEND), 0);
    assert_false(begin_attempt());
    end(pid);
}

static void where_nobody_is_at_it_there_is_nothing_to_end(void **unused)
{
    (void)unused;
    assert_true(guardian_end_attempt(&m, NULL));
    assert_true(begin_attempt());
    assert_true(guardian_end_attempt(&m, NULL)); /* our own */
}

static void an_attempt_that_takes_too_long_is_ended(void **unused)
{
    pid_t pid = child_that(begin_attempt);
    int status;
    (void)unused;

    assert_true(guardian_end_attempt(&m, NULL));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, make_place, remove_place)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(one_watches_and_a_second_is_refused),
        TEST(a_guardian_that_has_started_is_no_failure),
        TEST(without_a_place_there_is_no_lock),
        TEST(an_attempt_is_no_watch),
        TEST(where_nobody_is_at_it_there_is_nothing_to_end),
        TEST(an_attempt_that_takes_too_long_is_ended),
    };

    if (argc > 1 && !strcmp(argv[1], "guard"))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

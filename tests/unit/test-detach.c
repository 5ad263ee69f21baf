/* send --detach: two processes, and what a signal to the one that waits comes to. */
#include "cmd/detach.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/helpers.h"

#define ID "0123456789abcdef"

/* What the process that does the move does; its exit status. */
typedef int mover(int fd);

static volatile sig_atomic_t heard;

static void hear(int number)
{
    (void)number;
    heard++;
}

static void await_hearing(int times)
{
    while (heard < times)
        (void)poll(NULL, 0, 1);
}

/* Becomes two processes; the one that waits prints what it returns to `out`. */
static void wait_for(mover *does, FILE *out)
{
    struct error err = { 0 };
    char id[17] = "";
    int fd, status = -1;

    if (detach_begin(&fd, id, &status, &err)) {
        signal(SIGINT, signal(SIGINT, SIG_IGN) == SIG_IGN ? SIG_IGN : hear);
        signal(SIGTERM, hear);
        _exit(does(fd));
    }
    (void)raise(SIGTERM); /* too late */
    fprintf(out, "%d '%s'%s", status, id, err.text);
    fflush(out);
}

/* What the command came to; "": nothing, it was killed. */
static char *comes_to(mover *does)
{
    static char said[256];
    FILE *out = must(tmpfile());
    pid_t pid = fork();

    if (pid == 0) {
        wait_for(does, out);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    rewind(out);
    said[fread(said, 1, sizeof(said) - 1, out)] = '\0';
    fclose(out);
    return said;
}

static int begins(int fd)
{
    return detach_go(fd, ID) ? 7 : 1;
}

static void returns_once_the_move_has_begun(void **unused)
{
    (void)unused;
    assert_string_equal(comes_to(begins), "0 '" ID "'");
}

static int is_refused(int fd)
{
    (void)fd;
    return 3;
}

static void returns_the_status_of_a_move_that_never_begins(void **unused)
{
    (void)unused;
    assert_string_equal(comes_to(is_refused), "3 ''");
}

/* The signal waits already when the word of the beginning comes. */
static int begins_as_a_signal_comes(int fd)
{
    kill(getppid(), SIGTERM);
    if (detach_go(fd, ID))
        return 7;
    await_hearing(1);
    return 143;
}

static void a_signal_at_the_beginning_calls_the_move_off(void **unused)
{
    (void)unused;
    assert_string_equal(comes_to(begins_as_a_signal_comes), "143 ''");
}

static int begins_after_a_signal(int fd)
{
    kill(getppid(), SIGTERM);
    await_hearing(1);
    return detach_go(fd, ID) ? 7 : 143;
}

static void a_move_that_was_called_off_does_not_leave(void **unused)
{
    (void)unused;
    assert_string_equal(comes_to(begins_after_a_signal), "143 ''");
}

static int hears_two_signals(int fd)
{
    (void)fd;
    kill(getppid(), SIGINT);
    await_hearing(1);
    kill(getppid(), SIGINT);
    await_hearing(2);
    return 130;
}

static void each_signal_is_passed_on(void **unused)
{
    (void)unused;
    assert_string_equal(comes_to(hears_two_signals), "130 ''");
}

static int begins_after_an_interrupt(int fd)
{
    kill(getppid(), SIGINT);
    return begins(fd);
}

/* As the shell starts what is to run in the background. */
static void a_signal_that_is_ignored_calls_nothing_off(void **unused)
{
    (void)unused;
    signal(SIGINT, SIG_IGN);
    assert_string_equal(comes_to(begins_after_an_interrupt), "0 '" ID "'");
    signal(SIGINT, SIG_DFL);
}

static int left[2]; /* a pipe: the move has gone on */

static int begins_alone(int fd)
{
    pid_t waits = getppid();

    kill(waits, SIGKILL);
    while (getppid() == waits)
        (void)poll(NULL, 0, 1);
    return detach_go(fd, ID) && write(left[1], "y", 1) == 1 ? 7 : 1;
}

/* Its terminal was closed, or it was killed. */
static void the_move_goes_on_when_who_waits_is_gone(void **unused)
{
    char word = 'n';
    (void)unused;

    assert_int_equal(pipe2(left, O_CLOEXEC), 0);
    assert_string_equal(comes_to(begins_alone), "");
    close(left[1]);
    assert_int_equal(read(left[0], &word, 1), 1);
    assert_int_equal(word, 'y');
    close(left[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_once_the_move_has_begun),
        cmocka_unit_test(returns_the_status_of_a_move_that_never_begins),
        cmocka_unit_test(a_signal_at_the_beginning_calls_the_move_off),
        cmocka_unit_test(a_move_that_was_called_off_does_not_leave),
        cmocka_unit_test(each_signal_is_passed_on),
        cmocka_unit_test(a_signal_that_is_ignored_calls_nothing_off),
        cmocka_unit_test(the_move_goes_on_when_who_waits_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

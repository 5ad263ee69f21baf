/* Other processes: a pid alone may be somebody else's by now. */
#include "xmig/process.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/helpers.h"

enum {
    SOON_MS = 20 * 1000
};

/* -- the kernel, as some tests want it ---------------------------------------------------- */

static int polls_to_interrupt; /* so many, by a signal */
static bool nothing_ends;      /* as with a process that sleeps in the kernel */

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    struct timespec limit = { timeout / 1000, timeout % 1000 * 1000000 };

    if (polls_to_interrupt > 0) {
        polls_to_interrupt--;
        errno = EINTR;
        return -1;
    }
    if (nothing_ends)
        return 0;
    return (int)syscall(SYS_ppoll, fds, count, &limit, NULL, 0);
}

/* -- processes ---------------------------------------------------------------------------- */

/* A child that waits to be killed, under a name of its own. */
static pid_t new_process(const char *name)
{
    pid_t pid;
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, name);
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

/* The signal that ended it; 0: none has, and it is ended now. */
static int end_of(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, WNOHANG) == 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return 0;
    }
    return WTERMSIG(status);
}

static void wait_until(pid_t pid, int what)
{
    siginfo_t info;

    assert_int_equal(waitid(P_PID, (id_t)pid, &info, what | WNOWAIT), 0);
}

/* Field 22, counted by somebody else. */
static uint64_t start_time_by_ps(pid_t pid)
{
    char command[64];
    unsigned long long start = 0;
    FILE *out;

    snprintf(command, sizeof(command), "sed 's/.*) //' /proc/%d/stat | cut -d ' ' -f 20", (int)pid);
    out = popen(command, "r");
    assert_non_null(out);
    assert_int_equal(fscanf(out, "%llu", &start), 1);
    pclose(out);
    return start;
}

/* -- start times -------------------------------------------------------------------------- */

static void knows_its_own_start_time(void **unused)
{
    uint64_t start = process_start_time(getpid());
    (void)unused;

    assert_true(start > 0);
    assert_true(start == start_time_by_ps(getpid()));
    assert_true(process_lives(getpid(), start));
}

static void is_not_misled_by_a_processs_name(void **unused)
{
    pid_t pid = new_process("a) R 1 (b c");
    (void)unused;

    assert_true(process_start_time(pid) == start_time_by_ps(pid));
    assert_int_equal(end_of(pid), 0);
}

static void a_process_that_has_ended_has_no_start_time_even_before_it_is_reaped(void **unused)
{
    pid_t pid = new_process("mortal");
    uint64_t start = process_start_time(pid);
    (void)unused;

    kill(pid, SIGKILL);
    wait_until(pid, WEXITED);
    assert_int_equal(process_start_time(pid), 0);
    assert_false(process_lives(pid, start));
    assert_int_equal(end_of(pid), SIGKILL);
    assert_int_equal(process_start_time(pid), 0);
}

static void a_stopped_process_lives(void **unused)
{
    pid_t pid = new_process("stopped");
    uint64_t start = process_start_time(pid);
    (void)unused;

    kill(pid, SIGSTOP);
    wait_until(pid, WSTOPPED);
    assert_true(process_lives(pid, start));
    assert_int_equal(end_of(pid), 0);
}

static void nobody_lives_under_a_pid_or_a_time_of_zero(void **unused)
{
    (void)unused;

    assert_false(process_lives(0, 1));
    assert_false(process_lives(-1, 1));
    assert_false(process_lives(getpid(), 0));
}

/* -- killing ------------------------------------------------------------------------------ */

static void kills_that_very_process_and_waits_for_its_end(void **unused)
{
    pid_t pid = new_process("victim");
    pid_t other = new_process("other");
    (void)unused;

    assert_true(process_kill(pid, process_start_time(pid), SOON_MS, NULL));
    assert_int_equal(process_start_time(pid), 0);
    assert_int_equal(end_of(pid), SIGKILL);
    assert_int_equal(end_of(other), 0);
}

static void kills_a_stopped_process(void **unused)
{
    pid_t pid = new_process("victim");
    (void)unused;

    kill(pid, SIGSTOP);
    wait_until(pid, WSTOPPED);
    assert_true(process_kill(pid, process_start_time(pid), SOON_MS, NULL));
    assert_int_equal(end_of(pid), SIGKILL);
}

/* The pid has been given to somebody else since. */
static void never_kills_one_with_another_start_time(void **unused)
{
    pid_t pid = new_process("bystander");
    uint64_t start = process_start_time(pid);
    (void)unused;

    assert_true(process_kill(pid, start - 1, SOON_MS, NULL));
    assert_true(process_kill(pid, start + 1, SOON_MS, NULL));
    assert_true(process_kill(pid, 0, SOON_MS, NULL));
    assert_true(process_lives(pid, start));
    assert_int_equal(end_of(pid), 0);
}

static void is_content_when_it_has_gone_already(void **unused)
{
    pid_t pid = new_process("gone");
    uint64_t start = process_start_time(pid);
    (void)unused;

    kill(pid, SIGKILL);
    wait_until(pid, WEXITED);
    assert_true(process_kill(pid, start, SOON_MS, NULL));
    assert_int_equal(end_of(pid), SIGKILL);
    assert_true(process_kill(pid, start, SOON_MS, NULL));
    assert_true(process_kill(0, 1, SOON_MS, NULL));
}

static void goes_on_waiting_after_a_signal(void **unused)
{
    pid_t pid = new_process("victim");
    struct error err = { 0 };
    (void)unused;

    polls_to_interrupt = 3;
    assert_true(process_kill(pid, process_start_time(pid), SOON_MS, &err));
    assert_string_equal(err.text, "");
    assert_int_equal(polls_to_interrupt, 0);
    assert_int_equal(end_of(pid), SIGKILL);
}

static void says_so_when_it_does_not_die(void **unused)
{
    pid_t pid = new_process("victim");
    struct error err = { 0 };
    (void)unused;

    nothing_ends = true;
    assert_false(process_kill(pid, process_start_time(pid), 1, &err));
    nothing_ends = false;
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    wait_until(pid, WEXITED);
    assert_int_equal(end_of(pid), SIGKILL);
}

static void does_not_take_for_gone_what_it_cannot_look_at(void **unused)
{
    pid_t pid = new_process("hidden");
    uint64_t start = process_start_time(pid);
    struct error err = { 0 };
    struct rlimit limit, none;
    bool killed;
    (void)unused;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){ 0, limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    killed = process_kill(pid, start, SOON_MS, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_false(killed);
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_int_equal(end_of(pid), 0);
}

static void reads_its_mask(void **unused)
{
    mode_t before = umask(0137);
    (void)unused;

    assert_int_equal(process_umask(getpid()), 0137);
    umask(before);
    assert_int_equal(process_umask(0), 022);
}

static void reads_its_user(void **unused)
{
    (void)unused;

    assert_int_equal(process_user(getpid()), geteuid());
    assert_int_equal(process_user(0), UINT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_its_mask),
        cmocka_unit_test(reads_its_user),
        cmocka_unit_test(knows_its_own_start_time),
        cmocka_unit_test(is_not_misled_by_a_processs_name),
        cmocka_unit_test(a_process_that_has_ended_has_no_start_time_even_before_it_is_reaped),
        cmocka_unit_test(a_stopped_process_lives),
        cmocka_unit_test(nobody_lives_under_a_pid_or_a_time_of_zero),
        cmocka_unit_test(kills_that_very_process_and_waits_for_its_end),
        cmocka_unit_test(kills_a_stopped_process),
        cmocka_unit_test(never_kills_one_with_another_start_time),
        cmocka_unit_test(is_content_when_it_has_gone_already),
        cmocka_unit_test(goes_on_waiting_after_a_signal),
        cmocka_unit_test(says_so_when_it_does_not_die),
        cmocka_unit_test(does_not_take_for_gone_what_it_cannot_look_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Child processes: how they end, what they share with us, and who ends with them. */
#include "xmig/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/unit/helpers.h"
#include "xmig/process.h"

enum {
    SOON_MS = 20 * 1000
};

/* A shell that does `script`, and a pipe from its standard output. */
struct scene {
    struct loop *loop;
    struct child *child;
    int out;
};

static struct scene run(const char *script, bool foreground)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    struct scene scene = { .loop = loop_new() };
    struct error err = { 0 };
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    scene.out = fds[0];
    scene.child = foreground ? child_start_foreground(scene.loop, argv, -1, fds[1], -1, &err)
                             : child_start(scene.loop, argv, -1, fds[1], -1, &err);
    assert_string_equal(err.text, "");
    close(fds[1]);
    return scene;
}

static void end(struct scene *scene)
{
    child_free(scene->child);
    loop_free(scene->loop);
    close(scene->out);
}

static int status_of(struct scene *scene)
{
    struct error err = { 0 };
    int status = -1;

    assert_ok(child_wait(scene->child, SOON_MS, &status, &err), &err);
    return status;
}

/* A line of what the child says. It says one, or ends. */
static long number_said(struct scene *scene)
{
    char line[64] = "";
    size_t len = 0;

    while (len < sizeof(line) - 1 && read(scene->out, line + len, 1) == 1 && line[len] != '\n')
        len++;
    return strtol(line, NULL, 10);
}

/* Everybody who has a copy of its standard output has ended. */
static bool output_has_ended(struct scene *scene)
{
    struct pollfd polled = { .fd = scene->out, .events = POLLIN };
    char byte;

    return poll(&polled, 1, SOON_MS) == 1 && read(scene->out, &byte, 1) == 0;
}

/* ---- its end ---- */

static void tells_the_exit_status(void **unused)
{
    struct scene scene = run("exit 7", false);
    int status = -1;
    (void)unused;

    assert_int_equal(status_of(&scene), 7);
    assert_true(child_ended(scene.child, &status));
    assert_int_equal(status, 7);
    end(&scene);
}

static void tells_the_signal_that_ended_it(void **unused)
{
    struct scene scene = run("kill -TERM $$", false);
    (void)unused;

    assert_int_equal(status_of(&scene), 128 + SIGTERM);
    end(&scene);
}

static void has_not_ended_while_it_runs(void **unused)
{
    struct scene scene = run("echo 1; exec sleep 600", false);
    struct error err = { 0 };
    int status = -1;
    (void)unused;

    assert_int_equal(number_said(&scene), 1);
    assert_false(child_wait(scene.child, 1, &status, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    assert_false(child_ended(scene.child, &status));
    assert_int_equal(status, -1);
    end(&scene);
}

struct ending {
    struct child *child;
    int calls;
    int status;
};

static void note_end_and_free(void *arg)
{
    struct ending *ending = arg;

    ending->calls++;
    child_ended(ending->child, &ending->status);
    child_free(ending->child);
}

static bool was_called(void *arg)
{
    const struct ending *ending = arg;

    return ending->calls > 0;
}

static void may_be_freed_when_it_tells_of_its_end(void **unused)
{
    struct scene scene = run("exit 3", false);
    struct ending ending = { .child = scene.child };
    (void)unused;

    child_on_end(scene.child, note_end_and_free, &ending);
    scene.child = NULL;
    assert_true(loop_wait(scene.loop, was_called, &ending, SOON_MS, NULL));
    assert_int_equal(ending.calls, 1);
    assert_int_equal(ending.status, 3);
    end(&scene);
}

static void says_which_program_cannot_be_started(void **unused)
{
    const char *const argv[] = { "no-such-program-anywhere", NULL };
    struct loop *loop = loop_new();
    struct error err = { 0 };
    (void)unused;

    assert_null(child_start(loop, argv, -1, -1, -1, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_string_equal(err.text,
                        "cannot start 'no-such-program-anywhere': no such file or directory");
    loop_free(loop);
}

/* ---- what it shares with us ---- */

/* As a transport gives them: one socket for both. */
static void speaks_by_the_descriptors_it_was_given(void **unused)
{
    const char *const argv[] = { "sh", "-c", "read word; echo \"got $word\"; echo >&2", NULL };
    struct loop *loop = loop_new();
    struct child *child;
    int talk[2], errors[2];
    char said[16] = "";
    (void)unused;

    make_pair(talk);
    assert_int_equal(pipe2(errors, O_CLOEXEC), 0);
    child = child_start(loop, argv, talk[1], talk[1], errors[1], NULL);
    close(talk[1]);
    close(errors[1]);
    assert_int_equal(write(talk[0], "it\n", 3), 3);
    assert_int_equal(read(talk[0], said, sizeof(said)), 7);
    assert_string_equal(said, "got it\n");
    assert_int_equal(read(errors[0], said, sizeof(said)), 1);
    assert_int_equal(read(errors[0], said, sizeof(said)), 0);
    child_free(child);
    loop_free(loop);
    close(talk[0]);
    close(errors[0]);
}

static void reads_nothing_where_it_was_given_nothing(void **unused)
{
    struct scene scene = run("cat; echo x >&2; echo $?", false);
    (void)unused;

    assert_int_equal(number_said(&scene), 0);
    assert_int_equal(status_of(&scene), 0);
    end(&scene);
}

static void has_a_session_of_its_own(void **unused)
{
    struct scene scene = run("echo 1; exec sleep 600", false);
    pid_t pid = child_pid(scene.child);
    (void)unused;

    assert_int_equal(number_said(&scene), 1);
    assert_int_equal(getsid(pid), pid);
    assert_int_equal(getpgid(pid), pid);
    assert_int_not_equal(getsid(pid), getsid(0));
    end(&scene);
}

static void shares_our_session_in_the_foreground(void **unused)
{
    struct scene scene = run("echo 1; exec sleep 600", true);
    pid_t pid = child_pid(scene.child);
    (void)unused;

    assert_int_equal(number_said(&scene), 1);
    assert_int_equal(getsid(pid), getsid(0));
    assert_int_equal(getpgid(pid), getpgid(0));
    end(&scene);
}

static void hears_signals_that_we_ignore(void **unused)
{
    struct scene scene = run("kill -PIPE $$; exit 0", false);
    (void)unused;

    assert_int_equal(status_of(&scene), 128 + SIGPIPE);
    end(&scene);
}

/* ---- who ends with whom ---- */

static void dies_and_is_reaped_when_it_is_freed(void **unused)
{
    struct scene scene = run("echo 1; exec sleep 600", false);
    pid_t pid = child_pid(scene.child);
    (void)unused;

    assert_int_equal(number_said(&scene), 1);
    child_free(steal(scene.child));
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    end(&scene);
}

/* As an ssh's ProxyCommand is. */
static void takes_its_helpers_with_it(void **unused)
{
    struct scene scene = run("sleep 600 & echo $!; wait", false);
    pid_t helper = (pid_t)number_said(&scene);
    (void)unused;

    assert_true(process_start_time(helper) > 0);
    child_free(steal(scene.child));
    assert_true(output_has_ended(&scene));
    end(&scene);
}

static void dies_even_when_it_is_stopped(void **unused)
{
    struct scene scene = run("echo 1; kill -STOP $$", false);
    (void)unused;

    assert_int_equal(number_said(&scene), 1);
    child_free(steal(scene.child));
    assert_true(output_has_ended(&scene));
    end(&scene);
}

static void in_the_foreground_dies_alone(void **unused)
{
    struct scene scene = run("echo 1; exec sleep 600", true);
    (void)unused;

    assert_int_equal(number_said(&scene), 1);
    child_free(steal(scene.child)); /* or we would have died */
    assert_true(output_has_ended(&scene));
    end(&scene);
}

static void outlives_us_when_it_is_released(void **unused)
{
    struct scene scene = run("echo 1; exec sleep 600", false);
    pid_t pid = child_pid(scene.child);
    uint64_t start = process_start_time(pid);
    (void)unused;

    assert_int_equal(number_said(&scene), 1);
    child_release(steal(scene.child));
    assert_true(loop_pause(scene.loop, 1, NULL));
    loop_free(steal(scene.loop));
    assert_true(process_lives(pid, start));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(scene.out);
}

static void nobody_is_freed_or_released_without_harm(void **unused)
{
    (void)unused;

    child_free(NULL);
    child_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_exit_status),
        cmocka_unit_test(tells_the_signal_that_ended_it),
        cmocka_unit_test(has_not_ended_while_it_runs),
        cmocka_unit_test(may_be_freed_when_it_tells_of_its_end),
        cmocka_unit_test(says_which_program_cannot_be_started),
        cmocka_unit_test(speaks_by_the_descriptors_it_was_given),
        cmocka_unit_test(reads_nothing_where_it_was_given_nothing),
        cmocka_unit_test(has_a_session_of_its_own),
        cmocka_unit_test(shares_our_session_in_the_foreground),
        cmocka_unit_test(hears_signals_that_we_ignore),
        cmocka_unit_test(dies_and_is_reaped_when_it_is_freed),
        cmocka_unit_test(takes_its_helpers_with_it),
        cmocka_unit_test(dies_even_when_it_is_stopped),
        cmocka_unit_test(in_the_foreground_dies_alone),
        cmocka_unit_test(outlives_us_when_it_is_released),
        cmocka_unit_test(nobody_is_freed_or_released_without_harm),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

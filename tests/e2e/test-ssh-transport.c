/* The way by ssh, with a real ssh and a server of our own. This program is also what is
 * started at the far end: it answers with what it is told.
 */
#include "transport/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/traffic.h"
#include "xmig/cleanup.h"

enum {
    MUCH = 16 * 1024 * 1024 + 4711,
    SOON_MS = 20 * 1000,
};

/* The server's directory; the same for all tests. */
static char dir[] = "/tmp/test-ssh-XXXXXX";

/* ---- the server ---- */

static char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *text, ...)
{
    char *made;
    va_list args;

    va_start(args, text);
    assert_true(vasprintf(&made, text, args) >= 0);
    va_end(args);
    return made;
}

static int shell(const char *taken_command)
{
    AUTO_FREE const char *command = taken_command;
    int status = system(command);

    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000 * 1000 }, NULL);
}

static void start_server(void)
{
    assert_int_equal(shell(format("'%s/tests/e2e/sshd' start %s >%s/port", SOURCE_DIR, dir, dir)),
                     0);
}

static void stop_server(void)
{
    assert_int_equal(shell(format("'%s/tests/e2e/sshd' stop %s", SOURCE_DIR, dir)), 0);
}

static size_t lines_in_log(const char *text)
{
    AUTO_FREE char *path = format("%s/log", dir);
    FILE *file = fopen(path, "re");
    char line[1024];
    size_t count = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        count += strstr(line, text) != NULL;
    fclose(file);
    return count;
}

static size_t authentications(void)
{
    return lines_in_log("Accepted publickey");
}

static int set_passphrase(const char *from, const char *to)
{
    return shell(
        format("ssh-keygen -q -p -P '%s' -N '%s' -f %s/user-key >%s/keygen", from, to, dir, dir));
}

/* ---- a migration's transport ---- */

struct scene {
    struct loop *loop;
    char *runtime_dir, *rsh, *remote_path;
    struct transport_options options;
    struct transport *transport;
};

static struct scene *begin_to(const char *host, const char *remote_path)
{
    struct scene *scene = must(calloc(1, sizeof(*scene)));
    struct error err = { 0 };

    scene->loop = loop_new();
    scene->runtime_dir = format("%s/run", dir);
    assert_int_equal(mkdir(scene->runtime_dir, 0700), 0);
    scene->rsh = format("ssh -F %s/rsh", dir);
    scene->remote_path = must(strdup(remote_path));
    scene->options = (struct transport_options){ .rsh = scene->rsh,
                                                 .remote_path = scene->remote_path,
                                                 .runtime_dir = scene->runtime_dir };
    scene->transport = transport_new(scene->loop, host, &scene->options, &err);
    assert_string_equal(err.text, "");
    transport_set_ticket(scene->transport, "0123456789abcdef", "ticket", NULL);
    return scene;
}

/* This program is at the far end. */
static struct scene *begin(void)
{
    AUTO_FREE char *program = must(realpath("/proc/self/exe", NULL));
    AUTO_FREE char *with_variable = format("TEST_DIR=%s %s", dir, program);

    return begin_to("127.0.0.1", with_variable);
}

static void open_it(struct scene *scene)
{
    struct error err = { 0 };

    if (!transport_open(scene->transport, &err))
        fail_msg("%s", err.text);
}

static void end(struct scene *scene)
{
    transport_free(scene->transport);
    loop_free(scene->loop);
    assert_int_equal(rmdir(scene->runtime_dir), 0);
    free(scene->runtime_dir);
    free(scene->rsh);
    free(scene->remote_path);
    free(scene);
}

static int new_lane(struct scene *scene, const char *name)
{
    int both[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
    assert_true(transport_lane(scene->transport, name, both[1], NULL));
    return both[0];
}

static bool is_readable(void *arg)
{
    struct pollfd polled = { .fd = *(int *)arg, .events = POLLIN };

    return poll(&polled, 1, 0) > 0;
}

/* Let the loop run until `fd` is readable. */
static void await(struct scene *scene, int fd)
{
    for (int i = 0; i < SOON_MS / 10 && !is_readable(&fd); i++)
        (void)loop_pause(scene->loop, 10, NULL);
    assert_true(is_readable(&fd));
}

static void assert_echoes(struct scene *scene, int fd, const char *text)
{
    char heard[64] = { 0 };

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    await(scene, fd);
    assert_int_equal(traffic_read_block(fd, heard, strlen(text)), strlen(text));
    assert_string_equal(heard, text);
}

static void assert_ends(struct scene *scene, int fd)
{
    char byte;

    await(scene, fd);
    assert_true(read(fd, &byte, 1) <= 0);
}

/* While a lane is alive at the far end, there is a file with its name. */
static bool far_end_is(const char *name, bool there)
{
    AUTO_FREE char *path = format("%s/%s.running", dir, name);

    for (int i = 0; i < SOON_MS / 10; i++) {
        if ((access(path, F_OK) == 0) == there)
            return true;
        pause_ms(10);
    }
    return false;
}

/* ---- tests ---- */

static void authenticates_once_for_all_connections(void **unused)
{
    struct scene *scene = begin();
    size_t before = authentications();
    struct link *link;
    int fds[4];
    (void)unused;

    open_it(scene);
    link = transport_control(scene->transport, false, NULL);
    fds[0] = link->fd;
    fds[1] = new_lane(scene, "ram");
    fds[2] = new_lane(scene, "disk-vda");
    fds[3] = new_lane(scene, "disk-vdb");
    for (int i = 0; i < 4; i++)
        assert_echoes(scene, fds[i], "hello");
    assert_int_equal(authentications(), before + 1);
    link_free(link);
    for (int i = 1; i < 4; i++)
        close(fds[i]);
    end(scene);
}

static pid_t master_of(const struct scene *scene)
{
    AUTO_FREE char *path = format("%s/check", dir);
    FILE *file;
    int pid = -1;

    assert_int_equal(shell(format("ssh -S %s/ssh-ctl -O check x 2>%s", scene->runtime_dir, path)),
                     0);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "Master running (pid=%d)", &pid), 1);
    fclose(file);
    return pid;
}

static void no_signal_of_our_terminal_reaches_a_connection(void **unused)
{
    struct scene *scene = begin();
    struct link *link;
    (void)unused;

    open_it(scene);
    link = transport_control(scene->transport, false, NULL);
    assert_echoes(scene, link->fd, "hello");
    assert_int_not_equal(getsid(child_pid(link->impl)), getsid(0));
    assert_int_not_equal(getsid(master_of(scene)), getsid(0));
    link_free(link);
    end(scene);
}

static bool nobody_is_connected(void)
{
    for (int i = 0; i < SOON_MS / 10; i++) {
        if (lines_in_log("Disconnected from user") == authentications())
            return true;
        pause_ms(10);
    }
    return false;
}

static void nothing_is_left_when_the_transport_has_gone(void **unused)
{
    struct scene *scene = begin();
    int lane;
    (void)unused;

    open_it(scene);
    lane = new_lane(scene, "ram");
    assert_echoes(scene, lane, "hello");
    end(scene); /* finds the runtime directory empty */
    assert_true(nobody_is_connected());
    assert_true(far_end_is("ram", false));
    close(lane);
}

static void carries_every_byte_and_the_end(void **unused)
{
    struct scene *scene = begin();
    struct traffic *writer, *reader;
    int lane;
    (void)unused;

    open_it(scene);
    lane = new_lane(scene, "ram");
    writer = traffic_start(traffic_write_all, lane, MUCH, 1);
    reader = traffic_start(traffic_read_all, lane, MUCH, 1);
    while (scene->transport->lanes)
        (void)loop_pause(scene->loop, 20, NULL);
    assert_true(traffic_end(writer));
    assert_true(traffic_end(reader));
    assert_true(far_end_is("ram", false));
    close(lane);
    end(scene);
}

static void cutting_ends_a_lane_that_the_far_end_does_not_read(void **unused)
{
    struct scene *scene = begin();
    struct traffic *writer;
    int lane;
    (void)unused;

    open_it(scene);
    lane = new_lane(scene, "stalled");
    assert_true(far_end_is("stalled", true));
    writer = traffic_start(traffic_write_all, lane, MUCH, 1);
    transport_cut_lanes(scene->transport);
    assert_false(traffic_end(writer));
    close(lane);
    assert_true(far_end_is("stalled", false));
    end(scene);
}

static struct error explained(struct scene *scene)
{
    struct error err = { 0 };
    struct link *link = transport_control(scene->transport, false, &err);

    assert_non_null(link);
    assert_ends(scene, link->fd);
    transport_explain(scene->transport, link, &err);
    link_free(link);
    return err;
}

static void says_that_xmig_is_not_there(void **unused)
{
    struct scene *scene = begin_to("127.0.0.1", "/nowhere/xmig");
    struct error err;
    (void)unused;

    open_it(scene);
    err = explained(scene);
    assert_non_null(strstr(err.text, "xmig is not installed on 127.0.0.1, or not in its PATH ('"));
    assert_non_null(strstr(err.text, "/nowhere/xmig")); /* the shell's own words */
    assert_non_null(strstr(err.text, "'): install it there, or give --remote-path"));
    assert_int_equal(err.kind, ERROR_REFUSED);
    end(scene);
}

static void notices_that_the_server_has_gone(void **unused)
{
    struct scene *scene = begin();
    struct error err = { 0 };
    struct link *control;
    int lane;
    (void)unused;

    open_it(scene);
    control = transport_control(scene->transport, false, NULL);
    lane = new_lane(scene, "ram");
    assert_echoes(scene, control->fd, "hello");
    assert_echoes(scene, lane, "hello");
    stop_server();
    assert_ends(scene, lane);
    assert_ends(scene, control->fd);
    transport_explain(scene->transport, control, &err);
    assert_int_equal(err.kind, ERROR_LOST);
    assert_non_null(strstr(err.text, "broke"));
    link_free(control);
    close(lane);
    end(scene);
    start_server();
}

static void connects_anew_past_a_master_that_does_not_answer(void **unused)
{
    struct scene *scene = begin();
    struct link *link;
    pid_t master;
    (void)unused;

    open_it(scene);
    master = master_of(scene);
    assert_int_equal(kill(master, SIGSTOP), 0);
    link = transport_control(scene->transport, true, NULL);
    assert_echoes(scene, link->fd, "hello");
    assert_int_equal(kill(master, SIGCONT), 0);
    link_free(link);
    end(scene);
}

static void connects_anew_without_asking_for_a_password(void **unused)
{
    struct scene *scene = begin();
    struct error err = { 0 };
    struct link *link;
    (void)unused;

    open_it(scene);
    assert_int_equal(set_passphrase("", "open sesame"), 0);
    link = transport_control(scene->transport, true, NULL);
    assert_ends(scene, link->fd);
    transport_explain(scene->transport, link, &err);
    assert_string_equal(err.text, "ssh could not connect to 127.0.0.1");
    assert_int_equal(set_passphrase("open sesame", ""), 0);
    link_free(link);
    end(scene);
}

static void goes_by_way_of_the_users_jump_host(void **unused)
{
    AUTO_FREE char *program = must(realpath("/proc/self/exe", NULL));
    AUTO_FREE char *with_variable = format("TEST_DIR=%s %s", dir, program);
    size_t before = authentications();
    struct scene *scene;
    struct link *link;
    (void)unused;

    assert_int_equal(shell(format("sed 's/^Host .*/Host behind/; $a ProxyJump 127.0.0.1\\n"
                                  "HostName 127.0.0.1' %s/rsh >%s/behind && "
                                  "cat %s/behind >>%s/rsh",
                                  dir, dir, dir, dir)),
                     0);
    scene = begin_to("behind", with_variable);
    open_it(scene);
    link = transport_control(scene->transport, false, NULL);
    assert_echoes(scene, link->fd, "hello");
    assert_int_equal(authentications(), before + 2);
    link_free(link);
    end(scene);
}

/* ---- questions at the terminal ---- */

/* In a process and on a terminal of its own: 0 when authenticated, else the error's kind. */
static int open_on_terminal(const char *servers_dir)
{
    struct scene *scene;
    struct error err = { 0 };
    bool ok;

    strcpy(dir, servers_dir);
    scene = begin();
    signal(SIGINT, SIG_IGN); /* as a program does that hears of it in another way */
    ok = transport_open(scene->transport, &err);
    end(scene);
    return ok ? 0 : (int)err.kind;
}

/* Opens with a key that has a passphrase, at which `answer` is typed. */
static int open_and_type(const char *answer, bool *echoes)
{
    struct termios modes;
    char said[4096] = { 0 };
    size_t len = 0;
    int terminal, status;
    pid_t pid;

    pid = forkpty(&terminal, NULL, NULL, NULL);
    assert_true(pid >= 0);
    if (pid == 0)
        execl("/proc/self/exe", "test-ssh-transport", "open", dir, NULL);
    while (!strstr(said, "passphrase") && len < sizeof(said) - 1) {
        ssize_t got = read(terminal, said + len, sizeof(said) - 1 - len);

        assert_true(got > 0);
        len += (size_t)got;
    }
    /* ssh does not hear a Ctrl-C between its question and its reading: a person types again. */
    while (waitpid(pid, &status, WNOHANG) == 0) {
        assert_int_equal(write(terminal, answer, strlen(answer)), strlen(answer));
        pause_ms(200);
    }
    assert_int_equal(tcgetattr(terminal, &modes), 0);
    *echoes = modes.c_lflag & ECHO;
    close(terminal);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void asks_at_the_terminal_for_what_it_needs(void **unused)
{
    bool echoes;
    (void)unused;

    assert_int_equal(set_passphrase("", "open sesame"), 0);
    assert_int_equal(open_and_type("open sesame\n", &echoes), 0);
    assert_int_equal(set_passphrase("open sesame", ""), 0);
}

static void can_be_interrupted_at_the_question_and_leaves_the_terminal_as_it_was(void **unused)
{
    bool echoes = false;
    (void)unused;

    assert_int_equal(set_passphrase("", "open sesame"), 0);
    assert_int_equal(open_and_type("\x03", &echoes), ERROR_CANCELLED);
    assert_true(echoes);
    assert_int_equal(set_passphrase("open sesame", ""), 0);
}

/* ---- the far end ---- */

static int echo(void)
{
    char block[65536];
    ssize_t got;

    while ((got = read(STDIN_FILENO, block, sizeof(block))) > 0)
        if (!traffic_write_block(STDOUT_FILENO, block, (size_t)got))
            return 1;
    return 0;
}

/* Reads nothing, and waits for the hang-up. */
static int stall(void)
{
    struct pollfd polled = { .fd = STDOUT_FILENO };

    return poll(&polled, 1, SOON_MS) <= 0;
}

static int be_lane(const char *name)
{
    AUTO_FREE char *path = format("%s/%s.running", getenv("TEST_DIR"), name);
    int status;

    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    status = strcmp(name, "stalled") ? echo() : stall();
    unlink(path);
    return status;
}

static int set_up(void **unused)
{
    (void)unused;
    unsetenv("SSH_AUTH_SOCK");
    unsetenv("SSH_ASKPASS");
    unsetenv("DISPLAY");
    start_server();
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    stop_server();
    return shell(format("rm -r %s", dir));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(authenticates_once_for_all_connections),
        cmocka_unit_test(no_signal_of_our_terminal_reaches_a_connection),
        cmocka_unit_test(nothing_is_left_when_the_transport_has_gone),
        cmocka_unit_test(carries_every_byte_and_the_end),
        cmocka_unit_test(cutting_ends_a_lane_that_the_far_end_does_not_read),
        cmocka_unit_test(says_that_xmig_is_not_there),
        cmocka_unit_test(notices_that_the_server_has_gone),
        cmocka_unit_test(connects_anew_past_a_master_that_does_not_answer),
        cmocka_unit_test(connects_anew_without_asking_for_a_password),
        cmocka_unit_test(goes_by_way_of_the_users_jump_host),
        cmocka_unit_test(asks_at_the_terminal_for_what_it_needs),
        cmocka_unit_test(can_be_interrupted_at_the_question_and_leaves_the_terminal_as_it_was),
    };

    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && !strcmp(argv[1], "recv"))
        return echo();
    if (argc == 3 && !strcmp(argv[1], "open"))
        return open_on_terminal(argv[2]);
    if (argc == 5 && !strcmp(argv[1], "lane"))
        return be_lane(argv[4]);
    if (system("PATH=$PATH:/usr/sbin command -v sshd ssh ssh-keygen >/dev/null")) {
        fprintf(stderr, "install openssh-server and openssh-client\n");
        return 1;
    }
    if (!mkdtemp(dir))
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

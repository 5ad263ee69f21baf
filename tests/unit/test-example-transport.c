/* The transport of docs/writing-a-transport.md: does it do what is said there? */
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/unit/lane-scene.h"

/* Both are taken from the page by tests/CMakeLists.txt. */
extern const struct transport_ops transport_unix;
static const char start_xmig[] = START_XMIG;

/* A process that serves a socket as the page's other machine does: its xmig is `program`. */
struct server {
    pid_t pid;
    char *dir;
    char *socket;
};

static void serve(int listener)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fork() == 0) {
            dup2(fd, STDIN_FILENO);
            dup2(fd, STDOUT_FILENO);
            execlp("sh", "sh", start_xmig, NULL);
            _exit(126);
        }
        close(fd);
    }
}

static struct server start_server(const char *program)
{
    struct server server = { .dir = make_directory() };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    AUTO_FREE char *name = NULL;
    AUTO_CLOSE int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(asprintf(&name, "%s/xmig", server.dir) > 0);
    assert_int_equal(symlink(program, name), 0);
    assert_true(asprintf(&server.socket, "%s/socket", server.dir) > 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server.socket);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 16), 0);
    server.pid = fork();
    if (server.pid == 0) {
        AUTO_FREE char *path = NULL;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGCHLD, SIG_IGN);
        assert_true(asprintf(&path, "%s:%s", server.dir, getenv("PATH")) > 0);
        setenv("PATH", path, 1);
        setenv("XMIG_STATE_DIR", server.dir, 1);
        setenv("XMIG_RUNTIME_DIR", server.dir, 1);
        serve(listener);
    }
    return server;
}

static void end_server(struct server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    remove_all(server->dir);
    free(server->socket);
}

/* The peer's xmig is this very program. */
static struct scene *begin_with(struct server *server)
{
    AUTO_FREE char *program = must(realpath("/proc/self/exe", NULL));
    struct scene *scene = begin(&transport_unix);

    *server = start_server(program);
    free(scene->transport->rest);
    scene->transport->rest = must(strdup(server->socket));
    return scene;
}

static void end_both(struct scene *scene, struct server *server)
{
    end(scene);
    end_server(server);
}

static void takes_the_path_of_a_socket(void **unused)
{
    struct error err = { 0 };
    (void)unused;

    assert_true(transport_unix.accepts("/run/xmig.sock", &err));
    assert_false(transport_unix.accepts("host", &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
}

static void says_that_nobody_is_there(void **unused)
{
    struct scene *scene = begin(&transport_unix);
    struct error err = { 0 };
    (void)unused;

    assert_null(transport_control(scene->transport, false, &err));
    assert_says(err.text, "cannot connect to 'somewhere'");
    end(scene);
}

static void a_control_connection_reaches_xmig_and_ends_with_it(void **unused)
{
    struct server server;
    struct scene *scene = begin_with(&server);
    struct error err = { 0 };
    struct link *link = transport_control(scene->transport, false, &err);
    char answer[5] = { 0 };
    (void)unused;

    assert_ok(link, &err);
    assert_int_equal(write(link->fd, "hello", 5), 5);
    assert_int_equal(traffic_read_block(link->fd, answer, 5), 5);
    assert_memory_equal(answer, "HELLO", 5);
    assert_ok(link_wait(link, SOON_MS, &err), &err);
    assert_int_equal(link->status, 0);
    link_free(link);
    end_both(scene, &server);
}

static void explains_that_there_was_no_word(void **unused)
{
    struct server server = start_server("/bin/true");
    struct scene *scene = begin(&transport_unix);
    struct error err = { 0 };
    struct link *link;
    (void)unused;

    free(scene->transport->rest);
    scene->transport->rest = must(strdup(server.socket));
    link = transport_control(scene->transport, false, &err);
    assert_ok(link, &err);
    transport_explain(scene->transport, link, &err);
    assert_says(err.text, "was closed before a word came");
    link_free(link);
    end_both(scene, &server);
}

static void a_lane_carries_bytes_both_ways_and_ends(void **unused)
{
    struct server server;
    struct scene *scene = begin_with(&server);
    int near;
    struct lane_door *door = open_lane(scene, &near);
    struct traffic_pair traffic = traffic_start_pair(near, near, scene->far, MUCH);
    (void)unused;

    wait_until(scene, no_lane_is_left);
    assert_true(traffic_end_pair(&traffic));
    assert_true(lane_door_ok(door, NULL));
    close(near);
    lane_door_free(door);
    end_both(scene, &server);
}

static void cutting_ends_both_ends_of_a_lane(void **unused)
{
    struct server server;
    struct scene *scene = begin_with(&server);
    int near;
    struct lane_door *door = open_lane(scene, &near);
    (void)unused;

    transport_cut_lanes(scene->transport);
    assert_ends(scene, near);
    assert_ends(scene, scene->far);
    close(near);
    lane_door_free(door);
    end_both(scene, &server);
}

/* xmig with one more line in its table. */
static void a_vm_is_moved_by_it(void **unused)
{
    struct server server = start_server(XMIG);
    char *here = make_directory();
    AUTO_FREE char *command = NULL;
    (void)unused;

    assert_true(asprintf(&command,
                         "XMIG_STATE_DIR=%s/s XMIG_RUNTIME_DIR=%s/r " XMIG_WITH_UNIX
                         " send --simulate demo,disk-size=64K,ram=64K unix:%s >%s/words 2>&1 || "
                         "{ cat %s/words; false; }",
                         here, here, server.socket, here, here) > 0);
    assert_int_equal(system(command), 0);
    remove_all(here);
    end_server(&server);
}

static int be_recv(void)
{
    char text[5];
    size_t got = traffic_read_block(STDIN_FILENO, text, sizeof(text));

    for (size_t i = 0; i < got; i++)
        text[i] ^= 'a' ^ 'A';
    return !traffic_write_block(STDOUT_FILENO, text, got);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_path_of_a_socket),
        cmocka_unit_test(says_that_nobody_is_there),
        cmocka_unit_test(a_control_connection_reaches_xmig_and_ends_with_it),
        cmocka_unit_test(explains_that_there_was_no_word),
        cmocka_unit_test(a_lane_carries_bytes_both_ways_and_ends),
        cmocka_unit_test(cutting_ends_both_ends_of_a_lane),
        cmocka_unit_test(a_vm_is_moved_by_it),
    };

    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && !strcmp(argv[1], "recv"))
        return be_recv();
    if (argc == 5 && !strcmp(argv[1], "lane"))
        return be_lane(argv + 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

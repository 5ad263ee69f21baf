/* The listener while the system has no descriptor, or no process, to give. */
#include "transport/listen/listen.h"

#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/unit/helpers.h"
#include "xmig/loop.h"

enum {
    SHORTAGE_MS = 1000,
    SOON_MS = 20 * 1000
};

/* ---- a system with shortages, which last for some time after the first call ---- */

static struct shortage {
    bool of_descriptors, of_processes;
    uint64_t since_ms;
    int calls;
} * shortage; /* shared with the listener's process */

static bool is_short(bool of_it)
{
    if (!shortage || !of_it)
        return false;
    if (!shortage->since_ms)
        shortage->since_ms = loop_now_ms();
    shortage->calls++;
    return loop_now_ms() - shortage->since_ms < SHORTAGE_MS;
}

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags)
{
    int (*real)(int, struct sockaddr *, socklen_t *, int) = dlsym(RTLD_NEXT, "accept4");

    if (!is_short(shortage && shortage->of_descriptors))
        return real(fd, address, size, flags);
    errno = EMFILE;
    return -1;
}

pid_t fork(void)
{
    pid_t (*real)(void) = dlsym(RTLD_NEXT, "fork");

    if (!is_short(shortage && shortage->of_processes))
        return real();
    errno = EAGAIN;
    return -1;
}

/* ---- a listener in a process of its own ---- */

struct scene {
    char *dir;
    struct keys keys;
    struct sockaddr_in address;
    pid_t listener;
    int log; /* a pipe */
    char said[4096];
};

static void say(void *arg, const char *text)
{
    dprintf(*(int *)arg, "%s\n", text);
}

/* As the service manager starts it. */
static _Noreturn void be_listener(const struct scene *scene, int socket, int log)
{
    const struct listen_options options = { .keys = scene->keys,
                                            .runtime_dir = scene->dir,
                                            .limits = listen_default_limits,
                                            .say = say,
                                            .arg = &log };
    char pid[16];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    dup2(socket, 3);
    _exit(!listen_run(&options, NULL));
}

static void begin(struct scene *scene)
{
    socklen_t size = sizeof(scene->address);
    int socket_fd = socket(AF_INET, SOCK_STREAM, 0), both[2];
    bool made;

    *scene = (struct scene){ .dir = make_directory(),
                             .address = { .sin_family = AF_INET,
                                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
    shortage =
        mmap(NULL, sizeof(*shortage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    keys_find(&scene->keys, scene->dir);
    assert_true(keys_make(&scene->keys, &made, NULL));
    assert_int_equal(bind(socket_fd, (struct sockaddr *)&scene->address, size), 0);
    assert_int_equal(listen(socket_fd, 16), 0);
    getsockname(socket_fd, (struct sockaddr *)&scene->address, &size);
    assert_int_equal(pipe(both), 0);
    scene->listener = fork();
    if (scene->listener == 0)
        be_listener(scene, socket_fd, both[1]);
    close(socket_fd);
    close(both[1]);
    scene->log = both[0];
}

static void end(struct scene *scene)
{
    int status;

    kill(scene->listener, SIGTERM);
    assert_int_equal(waitpid(scene->listener, &status, 0), scene->listener);
    assert_int_equal(status, 0);
    close(scene->log);
    keys_done(&scene->keys);
    remove_all(scene->dir);
    munmap(steal(shortage), sizeof(*shortage));
}

/* Read on in the log until it says that. */
static void hear(struct scene *scene, const char *words)
{
    size_t len = strlen(scene->said);

    while (!strstr(scene->said, words)) {
        struct pollfd polled = { .fd = scene->log, .events = POLLIN };
        ssize_t got;

        if (poll(&polled, 1, SOON_MS) <= 0)
            fail_msg("the listener does not say '%s' but: %s", words, scene->said);
        got = read(scene->log, scene->said + len, sizeof(scene->said) - 1 - len);
        assert_true(got > 0);
        len += (size_t)got;
    }
}

/* A stranger's connection, which is served as soon as it says a word. */
static void be_refused(struct scene *scene)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    hear(scene, "listening");
    assert_int_equal(connect(fd, (struct sockaddr *)&scene->address, sizeof(scene->address)), 0);
    assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    hear(scene, "127.0.0.1: it does not speak TLS");
    close(fd);
}

static void expect_once(const struct scene *scene, const char *words)
{
    const char *first = strstr(scene->said, words);

    assert_non_null(first);
    assert_null(strstr(first + 1, words));
}

static void rests_where_no_descriptor_is_left_and_goes_on_by_itself(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    shortage->of_descriptors = true;
    be_refused(&scene);
    expect_once(&scene, "cannot accept connections: Too many open files");
    assert_in_range(shortage->calls, 2, 20); /* and does not spin */
    end(&scene);
}

static void a_connection_waits_where_no_process_can_be_started(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    shortage->of_processes = true;
    be_refused(&scene);
    expect_once(&scene, "cannot start processes: Resource temporarily unavailable");
    assert_in_range(shortage->calls, 2, 20);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rests_where_no_descriptor_is_left_and_goes_on_by_itself),
        cmocka_unit_test(a_connection_waits_where_no_process_can_be_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

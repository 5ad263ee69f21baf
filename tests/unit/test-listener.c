/* Unix sockets that listen: who may connect, and whose leftover may be replaced. */
#include "xmig/loop.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/unit/helpers.h"

enum {
    SOON_MS = 20 * 1000
};

static int accepts; /* calls */

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags)
{
    accepts++;
    return (int)syscall(SYS_accept4, fd, address, size, flags);
}

/* A directory of our own, and whoever has connected to a socket in it. */
struct scene {
    struct loop *loop;
    char *dir;
    char path[64];
    int accepted; /* the last one; -1: none */
    int count;
};

static struct scene *begin(void)
{
    struct scene *scene = must(calloc(1, sizeof(*scene)));

    scene->loop = loop_new();
    scene->accepted = -1;
    scene->dir = make_directory();
    snprintf(scene->path, sizeof(scene->path), "%s/socket", scene->dir);
    return scene;
}

/* Nothing is left in the directory. */
static void end(struct scene *scene)
{
    loop_free(scene->loop);
    cleanup_close(&scene->accepted);
    remove_empty(scene->dir);
    free(scene);
}

static void on_accepted(void *arg, int fd)
{
    struct scene *scene = arg;

    cleanup_close(&scene->accepted);
    scene->accepted = fd;
    scene->count++;
}

static struct listener *listen_at(struct scene *scene, const char *path, struct error *err)
{
    return listener_new(scene->loop, path, on_accepted, scene, err);
}

static struct listener *listening(struct scene *scene)
{
    struct error err = { 0 };
    struct listener *listener = listen_at(scene, scene->path, &err);

    assert_string_equal(err.text, "");
    assert_non_null(listener);
    return listener;
}

static bool has_accepted(void *arg)
{
    const struct scene *scene = arg;

    return scene->accepted >= 0;
}

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* A socket that nobody listens at, for its process has ended without removing it. */
static void leave_socket(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(addr.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 1), 0);
    close(fd);
    assert_true(exists(path));
}

static void leave_file(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

/* ---- connections ---- */

static void accepts_whoever_connects(void **unused)
{
    struct scene *scene = begin();
    struct listener *listener = listening(scene);
    int fd = connect_unix(scene->path, NULL);
    char heard[2];
    (void)unused;

    assert_true(fd >= 0);
    assert_true(loop_wait(scene->loop, has_accepted, scene, SOON_MS, NULL));
    assert_int_equal(write(fd, "hi", 2), 2);
    assert_int_equal(read(scene->accepted, heard, 2), 2);
    assert_memory_equal(heard, "hi", 2);
    close(fd);
    listener_free(listener);
    end(scene);
}

static bool has_accepted_three(void *arg)
{
    const struct scene *scene = arg;

    return scene->count == 3;
}

static void accepts_several_at_once(void **unused)
{
    struct scene *scene = begin();
    struct listener *listener = listening(scene);
    int fds[3];
    (void)unused;

    for (int i = 0; i < 3; i++)
        fds[i] = connect_unix(scene->path, NULL);
    assert_true(loop_wait(scene->loop, has_accepted_three, scene, SOON_MS, NULL));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    listener_free(listener);
    end(scene);
}

static void rests_while_no_descriptor_is_left(void **unused)
{
    struct scene *scene = begin();
    struct listener *listener = listening(scene);
    int fd = connect_unix(scene->path, NULL);
    struct rlimit before, none = { 0 };
    (void)unused;

    (void)loop_pause(scene->loop, 1, NULL); /* the loop opens its own at its first turn */
    cleanup_close(&scene->accepted);
    close(fd);
    fd = connect_unix(scene->path, NULL);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    accepts = 0;
    (void)loop_pause(scene->loop, 500, NULL);
    assert_in_range(accepts, 1, 5);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(loop_wait(scene->loop, has_accepted, scene, SOON_MS, NULL));
    close(fd);
    listener_free(listener);
    end(scene);
}

static void gives_descriptors_that_do_not_block_and_are_not_inherited(void **unused)
{
    struct scene *scene = begin();
    struct listener *listener = listening(scene);
    int fd = connect_unix(scene->path, NULL);
    (void)unused;

    assert_true(loop_wait(scene->loop, has_accepted, scene, SOON_MS, NULL));
    assert_true(fcntl(scene->accepted, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(scene->accepted, F_GETFD) & FD_CLOEXEC);
    assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    listener_free(listener);
    end(scene);
}

static void lets_only_its_owner_in(void **unused)
{
    struct scene *scene = begin();
    struct listener *listener;
    struct stat st;
    mode_t mask = umask(0);
    (void)unused;

    listener = listening(scene);
    umask(mask);
    assert_int_equal(stat(scene->path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0600);
    listener_free(listener);
    end(scene);
}

static void removes_its_socket_in_the_end(void **unused)
{
    struct scene *scene = begin();
    struct error err = { 0 };
    (void)unused;

    listener_free(listening(scene));
    listener_free(NULL);
    assert_false(exists(scene->path));
    assert_int_equal(connect_unix(scene->path, &err), -1);
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_says(err.text, "No such file");
    end(scene);
}

/* ---- what is there already ---- */

static void replaces_the_leftover_of_a_dead_process(void **unused)
{
    struct scene *scene = begin();
    struct listener *listener;
    int fd;
    (void)unused;

    leave_socket(scene->path);
    listener = listening(scene);
    fd = connect_unix(scene->path, NULL);
    assert_true(loop_wait(scene->loop, has_accepted, scene, SOON_MS, NULL));
    close(fd);
    listener_free(listener);
    end(scene);
}

static void refuses_where_another_process_listens(void **unused)
{
    struct scene *scene = begin();
    struct listener *living = listening(scene);
    struct error err = { 0 };
    int fd;
    (void)unused;

    assert_null(listen_at(scene, scene->path, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, "another process listens");
    fd = connect_unix(scene->path, NULL);
    assert_true(fd >= 0);
    close(fd);
    listener_free(living);
    end(scene);
}

/* It is stopped, and its queue of connections is full. */
static void refuses_where_another_process_listens_and_does_not_answer(void **unused)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct scene *scene = begin();
    struct error err = { 0 };
    int living = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int waiting;
    (void)unused;

    strcpy(addr.sun_path, scene->path);
    assert_int_equal(bind(living, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(living, 0), 0);
    waiting = connect_unix(scene->path, NULL);
    assert_true(waiting >= 0);
    assert_null(listen_at(scene, scene->path, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    close(waiting);
    close(living);
    unlink(scene->path);
    end(scene);
}

static void never_removes_what_is_no_socket(void **unused)
{
    struct scene *scene = begin();
    struct error err = { 0 };
    (void)unused;

    leave_file(scene->path);
    assert_null(listen_at(scene, scene->path, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_true(exists(scene->path));
    unlink(scene->path);
    end(scene);
}

static void never_removes_what_a_link_points_to(void **unused)
{
    struct scene *scene = begin();
    struct error err = { 0 };
    AUTO_FREE char *target = NULL;
    (void)unused;

    assert_true(asprintf(&target, "%s/target", scene->dir) > 0);
    leave_socket(target);
    assert_int_equal(symlink(target, scene->path), 0);
    assert_null(listen_at(scene, scene->path, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_true(exists(target));
    unlink(scene->path);
    unlink(target);
    end(scene);
}

/* ---- paths ---- */

/* In `dir`, so long that the socket's address has one byte too few; the file exists. */
static char *long_path(const struct scene *scene)
{
    const size_t len = sizeof(((struct sockaddr_un *)NULL)->sun_path);
    char *path = must(malloc(len + 1));

    memset(path, 'x', len);
    path[len] = '\0';
    memcpy(path, scene->dir, strlen(scene->dir));
    path[strlen(scene->dir)] = '/';
    leave_file(path);
    return path;
}

static void refuses_a_path_that_is_too_long_and_leaves_it_alone(void **unused)
{
    struct scene *scene = begin();
    AUTO_FREE char *path = long_path(scene);
    struct error err = { 0 };
    (void)unused;

    assert_null(listen_at(scene, path, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, "is longer than 107 bytes");
    assert_true(exists(path));
    assert_int_equal(connect_unix(path, &err), -1);
    assert_int_equal(err.kind, ERROR_REFUSED);
    unlink(path);
    end(scene);
}

static void takes_a_path_that_just_fits(void **unused)
{
    struct scene *scene = begin();
    AUTO_FREE char *path = long_path(scene);
    struct listener *listener;
    struct error err = { 0 };
    int fd;
    (void)unused;

    unlink(path);
    path[strlen(path) - 1] = '\0';
    listener = listen_at(scene, path, &err);
    assert_string_equal(err.text, "");
    fd = connect_unix(path, &err);
    assert_true(fd >= 0);
    close(fd);
    listener_free(listener);
    end(scene);
}

static void says_which_directory_is_missing(void **unused)
{
    struct scene *scene = begin();
    struct error err = { 0 };
    AUTO_FREE char *path = NULL;
    AUTO_FREE char *text = NULL;
    (void)unused;

    assert_true(asprintf(&path, "%s/missing/socket", scene->dir) > 0);
    assert_true(asprintf(&text, "cannot listen at '%s': No such file or directory", path) > 0);
    assert_null(listen_at(scene, path, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_string_equal(err.text, text);
    end(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_whoever_connects),
        cmocka_unit_test(accepts_several_at_once),
        cmocka_unit_test(rests_while_no_descriptor_is_left),
        cmocka_unit_test(gives_descriptors_that_do_not_block_and_are_not_inherited),
        cmocka_unit_test(lets_only_its_owner_in),
        cmocka_unit_test(removes_its_socket_in_the_end),
        cmocka_unit_test(replaces_the_leftover_of_a_dead_process),
        cmocka_unit_test(refuses_where_another_process_listens),
        cmocka_unit_test(refuses_where_another_process_listens_and_does_not_answer),
        cmocka_unit_test(never_removes_what_is_no_socket),
        cmocka_unit_test(never_removes_what_a_link_points_to),
        cmocka_unit_test(refuses_a_path_that_is_too_long_and_leaves_it_alone),
        cmocka_unit_test(takes_a_path_that_just_fits),
        cmocka_unit_test(says_which_directory_is_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

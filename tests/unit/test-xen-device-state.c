/* The device model's state, which follows RAM in its lane. */
#include "host/xen/ground/device-state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "xmig/cleanup.h"

enum {
    STATE_SIZE = 100000 /* fits a socket's buffer */
};

static void make_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

static char *write_state_file(void)
{
    char *path = must(strdup("/tmp/xmig-test-state-XXXXXX"));
    AUTO_CLOSE int fd = mkstemp(path);
    AUTO_FREE char *state = must(malloc(STATE_SIZE));

    for (int i = 0; i < STATE_SIZE; i++)
        state[i] = (char)(i * 7);
    assert_int_equal(write(fd, state, STATE_SIZE), STATE_SIZE);
    return path;
}

static void send_state(int fd)
{
    AUTO_FREE char *path = write_state_file();
    struct error err = { 0 };

    assert_true(device_state_send(fd, path, &err));
    unlink(path);
}

static void a_device_state_arrives_as_it_was_sent(void **unused)
{
    int pair[2];
    AUTO_FREE char *state = NULL;
    size_t size;
    struct error err = { 0 };

    (void)unused;
    make_pair(pair);
    send_state(pair[0]);
    assert_true(device_state_receive(pair[1], &state, &size, &err));
    assert_int_equal(size, STATE_SIZE);
    assert_int_equal((char)(12345 * 7), state[12345]);
    close(pair[0]);
    close(pair[1]);
}

/* Relays what `from` has, with byte `at` changed (-1: none), up to `limit` bytes. */
static void relay(int from, int to, long at, long limit)
{
    AUTO_FREE char *bytes = must(malloc(2 * STATE_SIZE));
    ssize_t got = recv(from, bytes, 2 * STATE_SIZE, MSG_DONTWAIT);

    assert_true(got > STATE_SIZE);
    if (at >= 0)
        bytes[at] ^= 1;
    got = got < limit ? got : limit;
    assert_int_equal(write(to, bytes, (size_t)got), got);
    close(to);
}

static void arrives_in_error(long at, long limit, enum error_kind kind)
{
    int first[2], second[2];
    AUTO_FREE char *state = NULL;
    size_t size;
    struct error err = { 0 };

    make_pair(first);
    make_pair(second);
    send_state(first[0]);
    relay(first[1], second[0], at, limit);
    assert_false(device_state_receive(second[1], &state, &size, &err));
    assert_int_equal(err.kind, kind);
    close(first[0]);
    close(first[1]);
    close(second[1]);
}

static void one_that_was_damaged_or_cut_short_is_not_taken(void **unused)
{
    (void)unused;
    arrives_in_error(0, 2 * STATE_SIZE, ERROR_PROTOCOL);     /* the magic word */
    arrives_in_error(8, 2 * STATE_SIZE, ERROR_PROTOCOL);     /* the length: absurd */
    arrives_in_error(20, 2 * STATE_SIZE, ERROR_PROTOCOL);    /* the digest */
    arrives_in_error(50000, 2 * STATE_SIZE, ERROR_PROTOCOL); /* itself */
    arrives_in_error(-1, 20, ERROR_LOST);
    arrives_in_error(-1, 50000, ERROR_LOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_state_arrives_as_it_was_sent),
        cmocka_unit_test(one_that_was_damaged_or_cut_short_is_not_taken),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What goes through the RAM's lane besides RAM, and how fast. */
#include "transport/lanes/codec.h"
#include "host/xen/ground/device-state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include <uv.h>

#include "xmig/cleanup.h"

enum {
    STATE_SIZE = 100000, /* fits a socket's buffer */
    PAGE = 4096,
    RAM_SIZE = 1024 * PAGE
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

/* Half of it is zeros, half cannot be compressed. */
static char *make_ram(void)
{
    char *ram = must(calloc(1, RAM_SIZE));

    for (size_t at = 0; at < RAM_SIZE; at += 2 * PAGE)
        assert_int_equal(getrandom(ram + at, PAGE, 0), PAGE);
    return ram;
}

struct writer {
    int fd;
    const char *ram;
};

static void write_ram(void *arg)
{
    const struct writer *writer = arg;
    size_t done = 0;

    while (done < RAM_SIZE) {
        ssize_t written = write(writer->fd, writer->ram + done, RAM_SIZE - done);

        if (written <= 0)
            return;
        done += (size_t)written;
    }
}

static void ram_comes_out_of_the_lane_as_it_went_in_and_takes_less_there(void **unused)
{
    int lane[2], in, out;
    AUTO_FREE char *ram = make_ram();
    AUTO_FREE char *arrived = must(malloc(RAM_SIZE));
    struct error err = { 0 };
    struct codec *sender, *receiver;
    struct writer writer = { .ram = ram };
    uv_thread_t thread;
    char more;

    (void)unused;
    make_pair(lane);
    sender = codec_compress(lane[0], &in, &err);
    receiver = codec_decompress(lane[1], &out, &err);
    writer.fd = in;
    assert_int_equal(uv_thread_create(&thread, write_ram, &writer), 0);
    assert_int_equal(recv(out, arrived, RAM_SIZE, MSG_WAITALL), RAM_SIZE);
    uv_thread_join(&thread);
    assert_memory_equal(arrived, ram, RAM_SIZE);
    assert_in_range(codec_written(sender), RAM_SIZE / 2, RAM_SIZE * 6 / 10);
    assert_true(codec_free(sender, &err));
    assert_int_equal(read(out, &more, 1), 0);
    assert_true(codec_free(receiver, &err));
    close(lane[0]);
    close(lane[1]);
}

/* The same piece, which cannot be compressed, over and over: that is seen when some are together.
 * The writer is slower than the lane.
 */
static void small_pieces_are_gathered(void **unused)
{
    enum {
        PIECE = 1024,
        PIECES = 48
    };
    char piece[PIECE];
    AUTO_FREE char *arrived = must(malloc(PIECE * PIECES));
    struct error err = { 0 };
    struct codec *sender, *receiver;
    int lane[2], in, out;

    (void)unused;
    make_pair(lane);
    assert_int_equal(getrandom(piece, PIECE, 0), PIECE);
    sender = codec_compress(lane[0], &in, &err);
    receiver = codec_decompress(lane[1], &out, &err);
    for (int i = 0; i < PIECES; i++) {
        assert_int_equal(write(in, piece, PIECE), PIECE);
        usleep(1000);
    }
    assert_int_equal(recv(out, arrived, PIECE * PIECES, MSG_WAITALL), PIECE * PIECES);
    assert_in_range(codec_written(sender), PIECE, PIECE * PIECES * 3 / 4);
    codec_free(sender, NULL);
    codec_free(receiver, NULL);
    close(lane[0]);
    close(lane[1]);
}

/* What libxc waits for at the other end may be a few bytes. */
static void what_was_written_comes_out_at_once(void **unused)
{
    int lane[2], in, out;
    char word[4];
    struct error err = { 0 };
    struct codec *sender, *receiver;

    (void)unused;
    make_pair(lane);
    sender = codec_compress(lane[0], &in, &err);
    receiver = codec_decompress(lane[1], &out, &err);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write(in, "word", 4), 4);
        assert_int_equal(recv(out, word, 4, MSG_WAITALL), 4);
        assert_memory_equal(word, "word", 4);
    }
    codec_free(sender, NULL);
    codec_free(receiver, NULL);
    close(lane[0]);
    close(lane[1]);
}

static void a_damaged_lane_is_told(void **unused)
{
    int lane[2], out;
    char more;
    struct error err = { 0 };
    struct codec *receiver;

    (void)unused;
    make_pair(lane);
    receiver = codec_decompress(lane[1], &out, &err);
    assert_int_equal(write(lane[0], "no frame of LZ4", 15), 15);
    assert_int_equal(read(out, &more, 1), 0);
    assert_false(codec_free(receiver, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    close(lane[0]);
    close(lane[1]);
}

static void a_receiver_that_is_given_up_does_not_wait_for_its_lane(void **unused)
{
    int lane[2], out;
    struct error err = { 0 };
    struct codec *receiver;

    (void)unused;
    make_pair(lane);
    receiver = codec_decompress(lane[1], &out, &err);
    assert_true(codec_free(receiver, &err));
    close(lane[0]);
    close(lane[1]);
}

static void a_writer_hears_that_the_lane_has_broken(void **unused)
{
    static char block[STATE_SIZE];
    int pair[2], in;
    struct error err = { 0 };
    struct codec *codec;

    (void)unused;
    make_pair(pair);
    codec = codec_compress(pair[0], &in, &err);
    shutdown(pair[0], SHUT_RDWR);
    while (send(in, block, STATE_SIZE, MSG_NOSIGNAL) > 0)
        ;
    codec_free(codec, NULL);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_state_arrives_as_it_was_sent),
        cmocka_unit_test(one_that_was_damaged_or_cut_short_is_not_taken),
        cmocka_unit_test(ram_comes_out_of_the_lane_as_it_went_in_and_takes_less_there),
        cmocka_unit_test(small_pieces_are_gathered),
        cmocka_unit_test(what_was_written_comes_out_at_once),
        cmocka_unit_test(a_damaged_lane_is_told),
        cmocka_unit_test(a_receiver_that_is_given_up_does_not_wait_for_its_lane),
        cmocka_unit_test(a_writer_hears_that_the_lane_has_broken),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

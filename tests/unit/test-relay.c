/* relay_both() and relay_lane(): every byte, every end of file, and no waiting for those who have
 * gone. */
#include "transport/lanes/share.h"
#include "xmig/lanes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "tests/unit/helpers.h"
#include "tests/unit/traffic.h"

enum {
    MUCH = 64 * 1024 * 1024 + 4711
};

/* A relay in a thread of its own, which closes its descriptors at the end, as a process
 * does.
 */
struct relay {
    int a_in, a_out, b;
    bool ok;
    struct carrier carrier;
    enum relay_beat beat;
    struct error err;
    pthread_t thread;
};

static void *run(void *arg)
{
    struct relay *relay = arg;

    relay->ok =
        relay_lane(relay->a_in, relay->a_out, relay->b, &relay->carrier, relay->beat, &relay->err);
    close(relay->a_in);
    if (relay->a_out != relay->a_in)
        close(relay->a_out);
    close(relay->b);
    return NULL;
}

static void start(struct relay *relay)
{
    assert_int_equal(pthread_create(&relay->thread, NULL, run, relay), 0);
}

static bool end(struct relay *relay)
{
    pthread_join(relay->thread, NULL);
    return relay->ok;
}

static int new_socket(int *other)
{
    int both[2];

    make_pair(both);
    *other = both[1];
    return both[0];
}

/* A relay between two sockets, whose far ends are `*a` and `*b`. */
static struct relay between_sockets(int *a, int *b)
{
    struct relay relay = { 0 };

    relay.a_in = relay.a_out = new_socket(a);
    relay.b = new_socket(b);
    return relay;
}

/* … between two pipes and a socket. */
static struct relay between_pipes_and_socket(int *a_out, int *a_in, int *b)
{
    struct relay relay = { 0 };
    int in[2], out[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    relay.a_in = in[0];
    *a_out = in[1];
    relay.a_out = out[1];
    *a_in = out[0];
    relay.b = new_socket(b);
    return relay;
}

static bool is_at_end(int fd)
{
    char byte;

    return read(fd, &byte, 1) == 0;
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void hear(int fd, const char *text)
{
    char heard[64] = { 0 };

    assert_int_equal(traffic_read_block(fd, heard, strlen(text)), strlen(text));
    assert_string_equal(heard, text);
}

static void moves_every_byte_both_ways_between_sockets(void **unused)
{
    int a, b;
    struct relay relay = between_sockets(&a, &b);
    struct traffic_pair traffic;
    (void)unused;

    start(&relay);
    traffic = traffic_start_pair(a, a, b, MUCH);
    assert_true(traffic_end_pair(&traffic));
    assert_true(end(&relay));
    close(a);
    close(b);
}

static void moves_every_byte_both_ways_between_pipes_and_a_socket(void **unused)
{
    int a_out, a_in, b;
    struct relay relay = between_pipes_and_socket(&a_out, &a_in, &b);
    struct traffic_pair traffic;
    (void)unused;

    start(&relay);
    traffic = traffic_start_pair(a_out, a_in, b, MUCH);
    assert_true(traffic_end_pair(&traffic));
    assert_true(end(&relay));
    close(a_in);
    close(b);
}

static void passes_an_end_on_and_still_moves_the_other_way(void **unused)
{
    int a, b;
    struct relay relay = between_sockets(&a, &b);
    (void)unused;

    start(&relay);
    say(a, "last words");
    traffic_end_writing(a);
    hear(b, "last words");
    assert_true(is_at_end(b));
    say(b, "answer");
    hear(a, "answer");
    traffic_end_writing(b);
    assert_true(is_at_end(a));
    assert_true(end(&relay));
    close(a);
    close(b);
}

static void closes_a_pipe_at_the_end_of_its_direction(void **unused)
{
    int a_out, a_in, b;
    struct relay relay = between_pipes_and_socket(&a_out, &a_in, &b);
    (void)unused;

    start(&relay);
    traffic_end_writing(b);
    assert_true(is_at_end(a_in));
    say(a_out, "go on");
    hear(b, "go on");
    close(a_out);
    assert_true(is_at_end(b));
    assert_true(end(&relay));
    close(a_in);
    close(b);
}

static void ends_when_one_side_closes_and_the_other_says_nothing(void **unused)
{
    int a, b;
    struct relay relay = between_sockets(&a, &b);
    (void)unused;

    start(&relay);
    close(b);
    assert_true(end(&relay));
    assert_true(is_at_end(a));
    close(a);
}

static void ends_when_the_reader_of_a_pipe_has_gone(void **unused)
{
    int a_out, a_in, b;
    struct relay relay = between_pipes_and_socket(&a_out, &a_in, &b);
    (void)unused;

    start(&relay);
    close(a_out);
    assert_true(is_at_end(b));
    close(a_in);
    assert_true(end(&relay));
    close(b);
}

static void tells_the_writer_and_its_caller_when_the_reader_goes_too_early(void **unused)
{
    int a, b;
    struct relay relay = between_sockets(&a, &b);
    struct traffic *writer;
    char some[4096];
    (void)unused;

    start(&relay);
    writer = traffic_start(traffic_write_all, a, MUCH, 1);
    assert_int_equal(traffic_read_block(b, some, sizeof(some)), sizeof(some));
    close(b);
    assert_false(traffic_end(writer));
    assert_false(end(&relay));
    assert_int_equal(relay.err.kind, ERROR_LOST);
    close(a);
}

/* splice(2) refuses a file that is open for appending. */
static void copies_where_splice_cannot(void **unused)
{
    char path[] = "/tmp/test-relay-XXXXXX";
    struct relay relay = { .a_in = open("/dev/null", O_RDONLY), .a_out = mkstemp(path) };
    int file = open(path, O_RDONLY);
    struct traffic *writer, *reader;
    int b;
    (void)unused;

    unlink(path);
    fcntl(relay.a_out, F_SETFL, O_APPEND);
    relay.b = new_socket(&b);
    start(&relay);
    writer = traffic_start(traffic_write_all, b, MUCH, 1);
    assert_true(traffic_end(writer));
    assert_true(end(&relay));
    reader = traffic_start(traffic_read_all, file, MUCH, 1);
    assert_true(traffic_end(reader));
    close(file);
    close(b);
}

static void hear_all(int from, int to, size_t size)
{
    AUTO_FREE char *bytes = must(calloc(1, size));

    assert_true(traffic_write_block(from, bytes, size));
    assert_int_equal(traffic_read_block(to, bytes, size), size);
}

/* The limit, and the count, are another process's: it has the same memory. */
static void counts_what_comes_and_keeps_to_a_limit_that_comes_later(void **unused)
{
    int a, b, fd = -1;
    struct lane_share *share = lane_share_new(&fd, NULL);
    struct relay relay = between_sockets(&a, &b);
    struct timespec began, ended;
    (void)unused;

    relay.carrier = (struct carrier){ lane_share_open(fd), 3 };
    start(&relay);
    hear_all(a, b, 64 * 1024);
    say(b, "back");
    hear(a, "back");
    assert_int_equal(share->carried[3], 64 * 1024);
    rate_set(&share->rate, 64 * 1024);
    clock_gettime(CLOCK_MONOTONIC, &began);
    hear_all(a, b, 16 * 1024); /* all but the first portion has to wait */
    clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_true((ended.tv_sec - began.tv_sec) * 1000 + (ended.tv_nsec - began.tv_nsec) / 1000000 >
                150);
    rate_set(&share->rate, 1);
    say(a, "one"); /* its turn is now, and the next one's in three seconds */
    hear(b, "one");
    say(a, "two");
    rate_set(&share->rate, 0);
    hear(b, "two");
    close(a);
    close(b);
    assert_true(end(&relay));
    lane_share_free(relay.carrier.share);
    lane_share_free(share);
    close(fd);
}

static void ends_while_bytes_wait_for_their_turn(void **unused)
{
    int a, b, fd = -1;
    struct lane_share *share = lane_share_new(&fd, NULL);
    struct relay relay = between_sockets(&a, &b);
    (void)unused;

    relay.carrier = (struct carrier){ share, 0 };
    rate_set(&share->rate, 1);
    start(&relay);
    say(a, "a minute's worth of bytes, and then more");
    hear(b, "a");
    say(a, "more");
    close(b);
    assert_false(end(&relay));
    close(a);
    lane_share_free(share);
    close(fd);
}

/* Two relays with a framed connection between them. */
static void frames_and_unframes_every_byte_both_ways(void **unused)
{
    int a, b;
    struct relay relays[2] = { between_sockets(&a, &b), { .beat = RELAY_BEAT_FRAMES_A } };
    struct traffic_pair traffic;
    (void)unused;

    relays[0].beat = RELAY_BEAT_FRAMES_B;
    relays[1].a_in = relays[1].a_out = b;
    relays[1].b = new_socket(&b);
    start(&relays[0]);
    start(&relays[1]);
    traffic = traffic_start_pair(a, a, b, MUCH);
    assert_true(traffic_end_pair(&traffic));
    assert_true(end(&relays[0]));
    assert_true(end(&relays[1]));
    close(a);
    close(b);
}

static void hears(int fd, const char *bytes, size_t len)
{
    char heard[16];

    assert_int_equal(traffic_read_block(fd, heard, len), len);
    assert_memory_equal(heard, bytes, len);
}

static void a_frame_without_bytes_passes_where_nothing_else_does(void **unused)
{
    int a, b;
    struct relay relay = between_sockets(&a, &b);
    (void)unused;

    relay.beat = RELAY_BEAT_FRAMES_B;
    start(&relay);
    hears(b, "\0\0\0\0", 4);
    say(a, "hello");
    hears(b, "\0\0\0\5hello", 9);
    hears(b, "\0\0\0\0", 4);
    assert_int_equal(write(b, "\0\0\0\0\0\0", 6), 6);
    assert_int_equal(write(b, "\0\2hi\0\0\0\1", 8), 8);
    hear(a, "hi");
    say(b, "!");
    hear(a, "!");
    close(b);
    assert_true(end(&relay));
    close(a);
}

static void an_end_within_a_frame_is_told(void **unused)
{
    int a, b;
    struct relay relay = between_sockets(&a, &b);
    (void)unused;

    relay.beat = RELAY_BEAT_FRAMES_B;
    start(&relay);
    assert_int_equal(write(b, "\0\0\0\5hel", 7), 7);
    hear(a, "hel");
    close(b);
    assert_true(is_at_end(a));
    close(a);
    assert_false(end(&relay));
    assert_string_equal(relay.err.text, "the lane ended in the middle of a frame");
}

/* Standard error is a pipe here, for as long as nothing else has anything to say. */
static void a_byte_of_words_is_said_where_nothing_passes(void **unused)
{
    int a, b, words[2], own = dup(STDERR_FILENO);
    struct relay relay = between_sockets(&a, &b);
    (void)unused;

    assert_int_equal(pipe(words), 0);
    dup2(words[1], STDERR_FILENO);
    relay.beat = RELAY_BEAT_WORDS;
    start(&relay);
    hears(words[0], "", 1);
    say(a, "hello");
    hear(b, "hello");
    close(a);
    close(b);
    assert_true(end(&relay));
    dup2(own, STDERR_FILENO);
    close(own);
    close(words[0]);
    close(words[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_every_byte_both_ways_between_sockets),
        cmocka_unit_test(moves_every_byte_both_ways_between_pipes_and_a_socket),
        cmocka_unit_test(passes_an_end_on_and_still_moves_the_other_way),
        cmocka_unit_test(closes_a_pipe_at_the_end_of_its_direction),
        cmocka_unit_test(ends_when_one_side_closes_and_the_other_says_nothing),
        cmocka_unit_test(ends_when_the_reader_of_a_pipe_has_gone),
        cmocka_unit_test(tells_the_writer_and_its_caller_when_the_reader_goes_too_early),
        cmocka_unit_test(copies_where_splice_cannot),
        cmocka_unit_test(counts_what_comes_and_keeps_to_a_limit_that_comes_later),
        cmocka_unit_test(ends_while_bytes_wait_for_their_turn),
        cmocka_unit_test(frames_and_unframes_every_byte_both_ways),
        cmocka_unit_test(a_frame_without_bytes_passes_where_nothing_else_does),
        cmocka_unit_test(an_end_within_a_frame_is_told),
        cmocka_unit_test(a_byte_of_words_is_said_where_nothing_passes),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

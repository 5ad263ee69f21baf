/* Compressed lanes from end to end: what a hypervisor writes at the source is read by the target's
 * as it was, and less than that is under way.
 */
#include "tests/unit/lane-scene.h"

#include <sys/random.h>

enum {
    PAGE = 4096,
    RAM_SIZE = 1024 * PAGE
};

struct compressed {
    struct scene *scene;
    struct lane_door *door;
    int near;
};

static struct compressed begin_compressed(uint64_t bandwidth)
{
    struct compressed lane = { .scene = begin_limited(&transport_local, bandwidth) };

    lane.scene->transport->peer_decompresses = true;
    lane.door = open_lane(lane.scene, &lane.near);
    return lane;
}

static void end_compressed(struct compressed *lane)
{
    close(lane->near);
    lane_door_free(lane->door);
    end(lane->scene);
}

static void carry_much(uint64_t bandwidth)
{
    struct compressed lane = begin_compressed(bandwidth);
    struct traffic_pair traffic =
        traffic_start_pair(lane.near, lane.near, lane.scene->far, MUCH / 8);

    wait_until(lane.scene, no_lane_is_left);
    assert_true(traffic_end_pair(&traffic));
    assert_true(lane_door_ok(lane.door, NULL));
    assert_true(receiver_door_ok(lane.scene->receiver, NULL));
    end_compressed(&lane);
}

static void what_it_carries_arrives_both_ways(void **unused)
{
    (void)unused;
    carry_much(0);
}

static void what_it_carries_arrives_under_a_limit(void **unused)
{
    (void)unused;
    carry_much(64 * 1024 * 1024);
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

static void *write_ram(void *arg)
{
    const struct writer *writer = arg;

    assert_true(traffic_write_block(writer->fd, writer->ram, RAM_SIZE));
    return NULL;
}

static void it_carries_less_than_it_was_given(void **unused)
{
    struct compressed lane = begin_compressed(0);
    AUTO_FREE char *ram = make_ram();
    AUTO_FREE char *arrived = must(malloc(RAM_SIZE));
    struct writer writer = { lane.near, ram };
    pthread_t thread;
    (void)unused;

    assert_int_equal(pthread_create(&thread, NULL, write_ram, &writer), 0);
    assert_int_equal(traffic_read_block(lane.scene->far, arrived, RAM_SIZE), RAM_SIZE);
    pthread_join(thread, NULL);
    assert_memory_equal(arrived, ram, RAM_SIZE);
    assert_in_range(lane.scene->transport->written, RAM_SIZE / 2, RAM_SIZE * 6 / 10);
    end_compressed(&lane);
}

/* The same piece, which cannot be compressed, over and over: compressing sees that when some are
 * together.
 */
static void small_pieces_are_gathered(void **unused)
{
    enum {
        PIECE = 1024,
        PIECES = 48
    };
    struct compressed lane = begin_compressed(0);
    char piece[PIECE];
    AUTO_FREE char *arrived = must(malloc(PIECE * PIECES));
    (void)unused;

    assert_int_equal(getrandom(piece, PIECE, 0), PIECE);
    for (int i = 0; i < PIECES; i++)
        assert_int_equal(write(lane.near, piece, PIECE), PIECE);
    assert_int_equal(traffic_read_block(lane.scene->far, arrived, PIECE * PIECES), PIECE * PIECES);
    assert_in_range(lane.scene->transport->written, PIECE, PIECE * PIECES * 3 / 4);
    end_compressed(&lane);
}

/* What the target waits for may be a few bytes. */
static void a_word_that_nothing_follows_comes_out(void **unused)
{
    struct compressed lane = begin_compressed(0);
    char word[5] = { 0 };
    (void)unused;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(write(lane.near, "word", 4), 4);
        assert_int_equal(traffic_read_block(lane.scene->far, word, 4), 4);
        assert_string_equal(word, "word");
    }
    end_compressed(&lane);
}

static void an_end_passes_while_the_other_way_is_open(void **unused)
{
    struct compressed lane = begin_compressed(0);
    char heard[6] = { 0 };
    (void)unused;

    shutdown(lane.near, SHUT_WR);
    assert_ends(lane.scene, lane.scene->far);
    assert_int_equal(write(lane.scene->far, "still", 5), 5);
    assert_int_equal(traffic_read_block(lane.near, heard, 5), 5);
    assert_string_equal(heard, "still");
    end_compressed(&lane);
}

/* The far end closes, as that of a target that died does; the near one has nothing to write that
 * would tell.
 */
static void the_near_end_ends_with_the_far_one(void **unused)
{
    struct compressed lane = begin_compressed(0);
    (void)unused;

    close(steal_fd(&lane.scene->far));
    assert_ends(lane.scene, lane.near);
    while (send(lane.near, "x", 1, MSG_NOSIGNAL) > 0)
        (void)loop_pause(lane.scene->loop, 5, NULL);
    wait_until(lane.scene, no_lane_is_left);
    end_compressed(&lane);
}

static void cut_both_ends(uint64_t bandwidth)
{
    struct compressed lane = begin_compressed(bandwidth);

    transport_cut_lanes(lane.scene->transport);
    assert_ends(lane.scene, lane.near);
    assert_ends(lane.scene, lane.scene->far);
    end_compressed(&lane);
}

static void cutting_ends_both_ends(void **unused)
{
    (void)unused;
    cut_both_ends(0);
}

static void cutting_ends_both_ends_of_a_limited_one(void **unused)
{
    (void)unused;
    cut_both_ends(1024 * 1024);
}

static void damage_ends_it_and_is_told_with_its_name(void **unused)
{
    struct scene *scene = begin(&transport_local);
    struct error err = { 0 };
    int both[2];
    (void)unused;

    make_pair(both);
    assert_true(transport_lane(scene->transport, "lz4/disk/vda", both[1], &err));
    wait_until(scene, lane_is_there);
    assert_true(receiver_door_ok(scene->receiver, &err));
    assert_int_equal(write(both[0], "no frame of LZ4", 15), 15);
    assert_ends(scene, scene->far);
    assert_ends(scene, both[0]);
    assert_false(receiver_door_ok(scene->receiver, &err));
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    assert_says(err.text, "lane lz4/disk/vda: damaged on its way to the target");
    close(both[0]);
    end(scene);
}

/* The way to the target need not pass a half-closed connection on. */
static void its_end_is_that_of_the_frame(void **unused)
{
    /* "word", as the lz4 program compresses it. */
    static const char frame[] =
        "\x04\x22\x4d\x18\x64\x40\xa7\x04\0\0\x80word\0\0\0\0\xa8\xa2\xde\xde";
    struct scene *scene = begin(&transport_local);
    struct error err = { 0 };
    char word[5] = { 0 };
    int both[2];
    (void)unused;

    make_pair(both);
    assert_true(transport_lane(scene->transport, "lz4/disk/vda", both[1], &err));
    wait_until(scene, lane_is_there);
    assert_int_equal(write(both[0], frame, sizeof(frame) - 1), sizeof(frame) - 1);
    assert_int_equal(traffic_read_block(scene->far, word, 4), 4);
    assert_string_equal(word, "word");
    assert_ends(scene, scene->far);
    assert_true(receiver_door_ok(scene->receiver, &err));
    close(both[0]);
    end(scene);
}

static int dialled = -1;
static char dialled_name[32];

static struct link *dial_and_keep(struct transport *transport, const char *const words[], int fd,
                                  struct error *err)
{
    (void)err;
    dialled = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    snprintf(dialled_name, sizeof(dialled_name), "%s", words[3]);
    return link_new(transport->loop, NULL, NULL);
}

static bool is_dialled(void *arg)
{
    (void)arg;
    return dialled >= 0;
}

/* What goes over the wire when "word" is written to a lane that shall be compressed. */
static void write_word(bool peer_decompresses, char *carried, size_t size)
{
    const struct transport_ops keeping = { .scheme = "test", .dial = dial_and_keep };
    struct scene *scene = begin(&keeping);
    struct error err = { 0 };
    struct lane_door *door;
    int near;

    scene->transport->peer_decompresses = peer_decompresses;
    door = lane_door_new(scene->transport, "ram", true, &err);
    near = connect_unix(lane_door_path(door), &err);
    wait_until(scene, is_dialled);
    assert_int_equal(write(near, "word", 4), 4);
    assert_int_equal(traffic_read_block(dialled, carried, size), size);
    assert_int_equal(scene->transport->written > 0, peer_decompresses);
    close(near);
    close(steal_fd(&dialled));
    lane_door_free(door);
    end(scene);
}

static void a_peer_that_does_not_know_it_gets_plain_bytes(void **unused)
{
    char carried[5] = { 0 };
    (void)unused;

    write_word(false, carried, 4);
    assert_string_equal(carried, "word");
    assert_string_equal(dialled_name, "ram");
}

static void its_name_says_that_it_is_a_frame_of_lz4(void **unused)
{
    char carried[4];
    (void)unused;

    write_word(true, carried, 4);
    assert_memory_equal(carried, "\x04\x22\x4d\x18", 4);
    assert_string_equal(dialled_name, "lz4/ram");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_carries_arrives_both_ways),
        cmocka_unit_test(what_it_carries_arrives_under_a_limit),
        cmocka_unit_test(it_carries_less_than_it_was_given),
        cmocka_unit_test(small_pieces_are_gathered),
        cmocka_unit_test(a_word_that_nothing_follows_comes_out),
        cmocka_unit_test(an_end_passes_while_the_other_way_is_open),
        cmocka_unit_test(the_near_end_ends_with_the_far_one),
        cmocka_unit_test(cutting_ends_both_ends),
        cmocka_unit_test(cutting_ends_both_ends_of_a_limited_one),
        cmocka_unit_test(damage_ends_it_and_is_told_with_its_name),
        cmocka_unit_test(its_end_is_that_of_the_frame),
        cmocka_unit_test(a_peer_that_does_not_know_it_gets_plain_bytes),
        cmocka_unit_test(its_name_says_that_it_is_a_frame_of_lz4),
    };

    signal(SIGPIPE, SIG_IGN);
    if (argc == 5 && !strcmp(argv[1], "lane"))
        return be_lane(argv + 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

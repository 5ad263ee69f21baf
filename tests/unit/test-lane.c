/* Lanes as the sender has them: a door to connect to, an end at the receiver's hypervisor, limits
 * and cuts.
 */
#include "tests/unit/lane-scene.h"

#include <sys/resource.h>

#include "xmig/bytes.h"

static void a_connection_at_the_senders_door_reaches_the_receivers_hypervisor(void **unused)
{
    struct scene *scene = begin(&transport_local);
    int near;
    struct lane_door *door = open_lane(scene, &near);
    struct traffic_pair traffic = traffic_start_pair(near, near, scene->far, MUCH);
    (void)unused;

    wait_until(scene, no_lane_is_left);
    assert_true(traffic_end_pair(&traffic));
    assert_int_equal(lane_door_count(door), 1);
    assert_true(lane_door_ok(door, NULL));
    assert_says(lane_door_path(door), "/" ID "/lane-disk-vda.sock");
    close(near);
    lane_door_free(door);
    end(scene);
}

static void an_end_passes_while_the_other_way_is_open(void **unused)
{
    struct scene *scene = begin(&transport_local);
    char heard[6] = { 0 };
    int near;
    struct lane_door *door = open_lane(scene, &near);
    (void)unused;

    shutdown(near, SHUT_WR);
    assert_ends(scene, scene->far);
    assert_int_equal(write(scene->far, "still", 5), 5);
    assert_int_equal(traffic_read_block(near, heard, 5), 5);
    assert_string_equal(heard, "still");
    close(near);
    lane_door_free(door);
    end(scene);
}

static void a_broken_lane_can_be_replaced(void **unused)
{
    struct scene *scene = begin(&transport_local);
    int near, again;
    struct lane_door *door = open_lane(scene, &near);
    struct error err = { 0 };
    (void)unused;

    close(steal_fd(&scene->far));
    assert_ends(scene, near);
    again = connect_unix(lane_door_path(door), &err);
    wait_until(scene, lane_is_there);
    assert_int_equal(write(again, "x", 1), 1);
    assert_int_equal(lane_door_count(door), 2);
    assert_true(lane_door_ok(door, &err));
    close(near);
    close(again);
    lane_door_free(door);
    end(scene);
}

static void cut_both_ends(uint64_t bandwidth)
{
    struct scene *scene = begin_limited(&transport_local, bandwidth);
    int near;
    struct lane_door *door = open_lane(scene, &near);

    transport_cut_lanes(scene->transport);
    assert_ends(scene, near);
    assert_ends(scene, scene->far);
    assert_true(lane_door_ok(door, NULL));
    close(near);
    lane_door_free(door);
    end(scene);
}

static void cutting_ends_both_ends(void **unused)
{
    (void)unused;
    cut_both_ends(0);
}

static void cutting_ends_both_ends_of_a_limited_lane(void **unused)
{
    (void)unused;
    cut_both_ends(1024 * 1024);
}

/* The far end closes, as that of a target that died does. */
static void the_near_end_of_a_limited_lane_ends_with_the_far_one(void **unused)
{
    struct scene *scene = begin_limited(&transport_local, 1024 * 1024);
    int near;
    struct lane_door *door = open_lane(scene, &near);
    (void)unused;

    close(scene->far);
    scene->far = -1;
    assert_ends(scene, near);
    wait_until(scene, no_lane_is_left);
    close(near);
    lane_door_free(door);
    end(scene);
}

/* A mirror's client connects again when its lane was cut; the receiver may have ended by then. */
static void no_lane_is_made_after_the_cut(void **unused)
{
    struct scene *scene = begin(&transport_local);
    int near, again;
    struct lane_door *door = open_lane(scene, &near);
    struct error err = { 0 };
    (void)unused;

    transport_cut_lanes(scene->transport);
    again = connect_unix(lane_door_path(door), &err);
    assert_true(again >= 0);
    assert_ends(scene, again);
    assert_true(no_lane_is_left(scene));
    assert_int_equal(lane_door_count(door), 1);
    assert_true(lane_door_ok(door, NULL));
    close(near);
    close(again);
    lane_door_free(door);
    end(scene);
}

/* Plays a lane that has hung: somebody else than the link has the socket, too, as ssh's
 * control master has, and does nothing any more.
 */
static int somebody_elses = -1;

static struct link *dial_and_hang(struct transport *transport, const char *const words[], int fd,
                                  struct error *err)
{
    const char *const argv[] = { "sleep", "1000", NULL };
    (void)words;

    somebody_elses = dup(fd);
    return link_of_child(transport->loop, child_start(transport->loop, argv, fd, fd, -1, err));
}

static void cutting_ends_the_near_end_whatever_hangs(void **unused)
{
    const struct transport_ops hanging = { .scheme = "test", .dial = dial_and_hang };
    struct scene *scene = begin(&hanging);
    int both[2];
    char byte;
    (void)unused;

    make_pair(both);
    assert_true(transport_lane(scene->transport, "ram", both[1], NULL));
    transport_cut_lanes(scene->transport);
    assert_int_equal(read(both[0], &byte, 1), 0);
    close(both[0]);
    close(somebody_elses);
    end(scene);
}

static struct link *dial_and_fail(struct transport *transport, const char *const words[], int fd,
                                  struct error *err)
{
    const char *const argv[] = { "sh", "-c", "exit 42", NULL };
    (void)words;

    return link_of_child(transport->loop, child_start(transport->loop, argv, fd, fd, -1, err));
}

static void the_senders_door_tells_of_a_lane_that_broke(void **unused)
{
    const struct transport_ops failing = { .scheme = "test", .dial = dial_and_fail };
    struct scene *scene = begin(&failing);
    struct error err = { 0 };
    struct lane_door *door = lane_door_new(scene->transport, "ram", false, &err);
    int near = connect_unix(lane_door_path(door), &err);
    (void)unused;

    assert_ends(scene, near);
    assert_false(lane_door_ok(door, &err));
    assert_string_equal(err.text, "lane ram broke (status 42)");
    close(near);
    lane_door_free(door);
    end(scene);
}

static struct link *dial_and_know_why(struct transport *transport, const char *const words[],
                                      int fd, struct error *err)
{
    struct link *link = dial_and_fail(transport, words, fd, err);

    error_set(&link->why, ERROR_LOST, "the certificate has expired");
    return link;
}

static void a_lane_that_broke_says_why_where_the_transport_knows(void **unused)
{
    const struct transport_ops failing = { .scheme = "test", .dial = dial_and_know_why };
    struct scene *scene = begin(&failing);
    struct error err = { 0 };
    struct lane_door *door = lane_door_new(scene->transport, "ram", false, &err);
    int near = connect_unix(lane_door_path(door), &err);
    (void)unused;

    assert_true(transport_lanes_ok(scene->transport, &err));
    assert_ends(scene, near);
    assert_false(lane_door_ok(door, &err));
    assert_string_equal(err.text, "lane ram: the certificate has expired");
    error_clear(&err);
    assert_false(transport_lanes_ok(scene->transport, &err));
    assert_string_equal(err.text, "lane ram: the certificate has expired");
    close(near);
    lane_door_free(door);
    end(scene);
}

static bool a_lane_is_lost(void *arg)
{
    const struct scene *scene = arg;

    return !transport_lanes_ok(scene->transport, NULL);
}

static struct link *dial_nowhere(struct transport *transport, const char *const words[], int fd,
                                 struct error *err)
{
    (void)transport;
    (void)words;
    (void)fd;

    error_set(err, ERROR_SYSTEM, "there is no ssh");
    return NULL;
}

static const struct transport_ops nowhere = { .scheme = "test", .dial = dial_nowhere };

/* A hypervisor at a door that answers it; what it says, and what is known of the lanes then. */
static void say_at_the_door(const char *words, size_t len, const char *reason)
{
    struct scene *scene = begin(&nowhere);
    struct error err = { 0 };
    struct lane_door *door;
    char heard[256];
    int near;

    scene->transport->peer_greets = true;
    door = lane_door_new_nbd(scene->transport, "disk/vda", 4096, false, &err);
    near = connect_unix(lane_door_path(door), &err);
    assert_true(bytes_write(near, words, len));
    wait_until(scene, a_lane_is_lost);
    assert_false(transport_lanes_ok(scene->transport, &err));
    assert_string_equal(err.text, reason);
    assert_true(read(near, heard, sizeof(heard)) > 0);
    close(near);
    lane_door_free(door);
    end(scene);
}

/* By then the mirror has been started, and nobody asks the door. */
static void a_lane_that_cannot_be_dialled_after_the_greeting_is_told_of(void **unused)
{
    static const char words[] = "\0\0\0\3IHAVEOPT\0\0\0\7\0\0\0\x9\0\0\0\3vda\0\0";
    (void)unused;

    say_at_the_door(words, sizeof(words) - 1, "lane nbd/disk/vda: there is no ssh");
}

static void a_hypervisor_that_speaks_no_nbd_is_told_of(void **unused)
{
    static const char words[] = "GET / HTTP/1.1\r\nHost: nobody\r\n\r\n";
    (void)unused;

    say_at_the_door(words, sizeof(words) - 1,
                    "lane nbd/disk/vda: the hypervisor speaks no NBD that is understood");
}

/* With as many descriptors as the connection itself needs. */
static void a_hypervisor_that_cannot_be_answered_is_told_of(void **unused)
{
    struct scene *scene = begin(&nowhere);
    struct error err = { 0 };
    struct lane_door *door;
    struct rlimit before, few;
    int near, next;
    (void)unused;

    scene->transport->peer_greets = true;
    door = lane_door_new_nbd(scene->transport, "disk/vda", 4096, false, &err);
    near = connect_unix(lane_door_path(door), &err);
    next = dup(near);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){ .rlim_cur = (rlim_t)next + 1, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    wait_until(scene, a_lane_is_lost);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(lane_door_ok(door, NULL));
    assert_false(transport_lanes_ok(scene->transport, &err));
    assert_string_equal(err.text,
                        "lane nbd/disk/vda: the hypervisor's NBD client cannot be answered");
    close(near);
    lane_door_free(door);
    end(scene);
}

static void a_lane_that_only_tries_the_way_may_break(void **unused)
{
    const struct transport_ops failing = { .scheme = "test", .dial = dial_and_fail };
    struct scene *scene = begin(&failing);
    struct error err = { 0 };
    int ends[2];
    (void)unused;

    make_pair(ends);
    assert_true(transport_lane(scene->transport, "probe", ends[0], &err));
    assert_ends(scene, ends[1]);
    assert_true(transport_lanes_ok(scene->transport, &err));
    close(ends[1]);
    end(scene);
}

static struct link *dial_and_say_done(struct transport *transport, const char *const words[],
                                      int fd, struct error *err)
{
    const char *const argv[] = { "printf", "done", NULL };
    (void)words;

    return link_of_child(transport->loop, child_start(transport->loop, argv, fd, fd, -1, err));
}

/* A hypervisor at the target says that all has come, and closes: its words are still on their way
 * when the lane's process has ended. Often, for they may be quick.
 */
static void the_last_words_of_a_limited_lane_arrive(void **unused)
{
    const struct transport_ops saying = { .scheme = "test", .dial = dial_and_say_done };
    struct scene *scene = begin_limited(&saying, 1024 * 1024);
    (void)unused;

    for (int i = 0; i < 200; i++) {
        char heard[5] = { 0 };
        int both[2];

        make_pair(both);
        assert_true(transport_lane(scene->transport, "ram", both[1], NULL));
        wait_until(scene, no_lane_is_left);
        assert_int_equal(traffic_read_block(both[0], heard, 4), 4);
        assert_string_equal(heard, "done");
        assert_ends(scene, both[0]);
        close(both[0]);
    }
    end(scene);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_at_the_senders_door_reaches_the_receivers_hypervisor),
        cmocka_unit_test(an_end_passes_while_the_other_way_is_open),
        cmocka_unit_test(a_broken_lane_can_be_replaced),
        cmocka_unit_test(cutting_ends_both_ends),
        cmocka_unit_test(cutting_ends_both_ends_of_a_limited_lane),
        cmocka_unit_test(the_near_end_of_a_limited_lane_ends_with_the_far_one),
        cmocka_unit_test(no_lane_is_made_after_the_cut),
        cmocka_unit_test(cutting_ends_the_near_end_whatever_hangs),
        cmocka_unit_test(the_senders_door_tells_of_a_lane_that_broke),
        cmocka_unit_test(a_lane_that_broke_says_why_where_the_transport_knows),
        cmocka_unit_test(a_lane_that_cannot_be_dialled_after_the_greeting_is_told_of),
        cmocka_unit_test(a_hypervisor_that_speaks_no_nbd_is_told_of),
        cmocka_unit_test(a_hypervisor_that_cannot_be_answered_is_told_of),
        cmocka_unit_test(a_lane_that_only_tries_the_way_may_break),
        cmocka_unit_test(the_last_words_of_a_limited_lane_arrive),
    };

    signal(SIGPIPE, SIG_IGN);
    if (argc == 5 && !strcmp(argv[1], "lane"))
        return be_lane(argv + 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

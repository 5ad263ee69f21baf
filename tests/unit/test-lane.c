/* Lanes from end to end: the sender's door, `xmig lane` (this program, started again), the
 * receiver's door, and both hypervisors, which are threads here.
 */
#include "transport/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tests/unit/traffic.h"
#include "xmig/cleanup.h"
#include "xmig/lanes.h"

#define ID "0123456789abcdef"
#define TICKET "00112233445566778899aabbccddeeff"

enum {
    MUCH = 64 * 1024 * 1024 + 4711,
    SOON_MS = 20 * 1000,
};

/* Sender and receiver of one migration on one loop, on one machine. */
struct scene {
    struct loop *loop;
    char base[32];
    char *dir; /* BASE/ID */
    struct transport_options options;
    struct transport *transport;
    struct receiver_door *receiver;
    int lanes_asked_for;
    int far; /* the receiving hypervisor's end of the last lane; -1: none yet */
    int control[2];
};

static int give_lane(void *arg, const char *name, struct error *err)
{
    struct scene *scene = arg;
    int both[2];

    scene->lanes_asked_for++;
    if (strcmp(name, "disk/vda")) {
        error_set(err, ERROR_REFUSED, "there is no lane '%s'", name);
        return -1;
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
    if (scene->far >= 0)
        close(scene->far);
    scene->far = both[0];
    return both[1];
}

static void take_control(void *arg, int in_fd, int out_fd)
{
    struct scene *scene = arg;

    scene->control[0] = in_fd;
    scene->control[1] = out_fd;
}

static struct scene *begin_limited(const struct transport_ops *ops, uint64_t bandwidth)
{
    struct scene *scene = must(calloc(1, sizeof(*scene)));
    struct error err = { 0 };

    scene->loop = loop_new();
    scene->far = scene->control[0] = scene->control[1] = -1;
    strcpy(scene->base, "/tmp/test-lane-XXXXXX");
    assert_non_null(mkdtemp(scene->base));
    setenv("TEST_LANE_DIR", scene->base, 1);
    scene->receiver = receiver_door_new(
        scene->loop, scene->base, ID, TICKET,
        (struct receiver_door_ops){ .lane = give_lane, .control = take_control, .arg = scene },
        &err);
    assert_string_equal(err.text, "");
    assert_true(asprintf(&scene->dir, "%s/" ID, scene->base) > 0);
    scene->options.runtime_dir = scene->dir;
    scene->options.bandwidth = bandwidth;
    scene->transport = transport_new_custom(scene->loop, ops, "somewhere", NULL, &scene->options);
    transport_set_ticket(scene->transport, ID, TICKET, NULL);
    return scene;
}

static struct scene *begin(const struct transport_ops *ops)
{
    return begin_limited(ops, 0);
}

/* Everything is gone afterwards, also from the file system. */
static void end(struct scene *scene)
{
    transport_free(scene->transport);
    receiver_door_free(scene->receiver);
    loop_free(scene->loop);
    close(scene->far);
    close(scene->control[0]);
    close(scene->control[1]);
    assert_int_equal(rmdir(scene->base), 0);
    free(scene->dir);
    free(scene);
}

static bool lane_is_there(void *arg)
{
    const struct scene *scene = arg;

    return scene->far >= 0;
}

static bool no_lane_is_left(void *arg)
{
    const struct scene *scene = arg;

    return !scene->transport->lanes;
}

static bool control_is_there(void *arg)
{
    const struct scene *scene = arg;

    return scene->control[1] >= 0;
}

static void wait_until(struct scene *scene, bool (*what)(void *arg))
{
    struct error err = { 0 };

    if (!loop_wait(scene->loop, what, scene, SOON_MS, &err))
        fail_msg("%s", err.text);
}

static bool is_readable(void *arg)
{
    struct pollfd polled = { .fd = *(int *)arg, .events = POLLIN };

    return poll(&polled, 1, 0) > 0;
}

/* The end of `fd` has come, or comes within seconds, while the loop runs. */
static void assert_ends(struct scene *scene, int fd)
{
    char byte;

    for (int i = 0; i < SOON_MS / 10 && !is_readable(&fd); i++)
        (void)loop_pause(scene->loop, 10, NULL);
    assert_true(is_readable(&fd));
    assert_true(read(fd, &byte, 1) <= 0);
}

/* A door of the sender's, somebody who has connected to it, and the lane behind it. */
static struct lane_door *open_lane(struct scene *scene, int *near)
{
    struct error err = { 0 };
    struct lane_door *door = lane_door_new(scene->transport, "disk/vda", &err);

    assert_string_equal(err.text, "");
    *near = connect_unix(lane_door_path(door), &err);
    assert_true(*near >= 0);
    wait_until(scene, lane_is_there);
    return door;
}

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
    assert_non_null(strstr(lane_door_path(door), "/" ID "/lane-disk-vda.sock"));
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

/* Plays a lane that has hung: somebody else than the child has the socket, too, as ssh's
 * control master has, and does nothing any more.
 */
static int somebody_elses = -1;

static struct child *dial_and_hang(struct transport *transport, const char *const words[], int fd,
                                   struct error *err)
{
    const char *const argv[] = { "sleep", "1000", NULL };
    (void)words;

    somebody_elses = dup(fd);
    return child_start(transport->loop, argv, fd, fd, -1, err);
}

static void cutting_ends_the_near_end_whatever_hangs(void **unused)
{
    const struct transport_ops hanging = { .scheme = "test", .dial = dial_and_hang };
    struct scene *scene = begin(&hanging);
    int both[2];
    char byte;
    (void)unused;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
    assert_true(transport_lane(scene->transport, "ram", both[1], NULL));
    transport_cut_lanes(scene->transport);
    assert_int_equal(read(both[0], &byte, 1), 0);
    close(both[0]);
    close(somebody_elses);
    end(scene);
}

static struct child *dial_and_fail(struct transport *transport, const char *const words[], int fd,
                                   struct error *err)
{
    const char *const argv[] = { "sh", "-c", "exit 42", NULL };
    (void)words;

    return child_start(transport->loop, argv, fd, fd, -1, err);
}

static void the_senders_door_tells_of_a_lane_that_broke(void **unused)
{
    const struct transport_ops failing = { .scheme = "test", .dial = dial_and_fail };
    struct scene *scene = begin(&failing);
    struct error err = { 0 };
    struct lane_door *door = lane_door_new(scene->transport, "ram", &err);
    int near = connect_unix(lane_door_path(door), &err);
    (void)unused;

    assert_ends(scene, near);
    assert_false(lane_door_ok(door, &err));
    assert_string_equal(err.text, "lane ram broke (status 42)");
    close(near);
    lane_door_free(door);
    end(scene);
}

static struct child *dial_and_say_done(struct transport *transport, const char *const words[],
                                       int fd, struct error *err)
{
    const char *const argv[] = { "printf", "done", NULL };
    (void)words;

    return child_start(transport->loop, argv, fd, fd, -1, err);
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

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
        assert_true(transport_lane(scene->transport, "ram", both[1], NULL));
        wait_until(scene, no_lane_is_left);
        assert_int_equal(traffic_read_block(both[0], heard, 4), 4);
        assert_string_equal(heard, "done");
        assert_ends(scene, both[0]);
        close(both[0]);
    }
    end(scene);
}

/* ---- the receiver's door, asked by threads ---- */

struct asking {
    struct scene *scene;
    const char *id, *ticket, *name;
    int in, out;
    bool ok, through;
    struct error err;
    pthread_t thread;
};

static void *join_lane(void *arg)
{
    struct asking *asking = arg;

    asking->ok = lane_join(asking->scene->base, asking->id, asking->ticket, asking->name,
                           asking->in, asking->out, &asking->err);
    __atomic_store_n(&asking->through, true, __ATOMIC_RELEASE);
    return NULL;
}

static void *hand_over(void *arg)
{
    struct asking *asking = arg;

    asking->ok = receiver_door_hand_over(asking->scene->base, asking->id, asking->in, asking->out,
                                         SOON_MS, &asking->err);
    __atomic_store_n(&asking->through, true, __ATOMIC_RELEASE);
    return NULL;
}

static void start(struct asking *asking, void *(*what)(void *arg))
{
    assert_int_equal(pthread_create(&asking->thread, NULL, what, asking), 0);
}

/* The loop runs on until the thread is through. */
static bool ends_well(struct asking *asking)
{
    while (!__atomic_load_n(&asking->through, __ATOMIC_ACQUIRE))
        (void)loop_pause(asking->scene->loop, 5, NULL);
    pthread_join(asking->thread, NULL);
    return asking->ok;
}

static void refuses_another_ticket_without_asking_the_hypervisor(void **unused)
{
    const char *const tickets[] = { "", "00", "ffeeddccbbaa99887766554433221100", TICKET "0" };
    struct scene *scene = begin(&transport_local);
    (void)unused;

    for (size_t i = 0; i < sizeof(tickets) / sizeof(tickets[0]); i++) {
        struct asking asking = { scene, ID, tickets[i], "disk/vda", 0, 1, .ok = false };

        start(&asking, join_lane);
        assert_false(ends_well(&asking));
        assert_int_equal(asking.err.kind, ERROR_PEER);
        assert_string_equal(asking.err.text, "lane disk/vda: the ticket is not this migration's");
    }
    assert_int_equal(scene->lanes_asked_for, 0);
    end(scene);
}

static void passes_the_receivers_reason_on(void **unused)
{
    struct scene *scene = begin(&transport_local);
    struct asking asking = { scene, ID, TICKET, "disk/vdb", 0, 1, .ok = false };
    (void)unused;

    start(&asking, join_lane);
    assert_false(ends_well(&asking));
    assert_string_equal(asking.err.text, "lane disk/vdb: there is no lane 'disk/vdb'");
    end(scene);
}

static void says_that_nobody_receives(void **unused)
{
    struct scene *scene = begin(&transport_local);
    struct error err = { 0 };
    (void)unused;

    assert_false(lane_join(scene->base, "fedcba9876543210", TICKET, "ram", 0, 1, &err));
    assert_int_equal(err.kind, ERROR_LOST);
    assert_false(receiver_door_hand_over(scene->base, "fedcba9876543210", 0, 1, SOON_MS, &err));
    assert_int_equal(err.kind, ERROR_LOST);
    end(scene);
}

/* An id comes from the other machine. */
static void no_id_leads_to_another_directory(void **unused)
{
    struct scene *scene = begin(&transport_local);
    struct error err = { 0 };
    (void)unused;

    assert_false(lane_join("/tmp", "../../../../x", TICKET, "ram", 0, 1, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_false(receiver_door_hand_over("/tmp", "", 0, 1, SOON_MS, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    end(scene);
}

static void hands_a_control_connection_over_and_stays_until_it_ends(void **unused)
{
    struct scene *scene = begin(&transport_local);
    struct asking asking = { scene, ID, .ok = false };
    int sender, both[2];
    char heard[8] = { 0 };
    (void)unused;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
    sender = both[0];
    asking.in = asking.out = both[1];
    start(&asking, hand_over);
    wait_until(scene, control_is_there);
    assert_int_equal(write(sender, "query", 5), 5);
    assert_int_equal(traffic_read_block(scene->control[0], heard, 5), 5);
    assert_int_equal(write(scene->control[1], "answer", 6), 6);
    assert_int_equal(traffic_read_block(sender, heard, 6), 6);
    assert_string_equal(heard, "answer");
    close(steal_fd(&scene->control[0]));
    close(steal_fd(&scene->control[1]));
    assert_true(ends_well(&asking));
    assert_ends(scene, sender);
    close(both[0]);
    close(both[1]);
    end(scene);
}

/* A loop that does not run is a process that is stopped. */
static void gives_up_on_a_receiver_that_is_stopped(void **unused)
{
    struct scene *scene = begin(&transport_local);
    struct error err = { 0 };
    (void)unused;

    assert_false(receiver_door_hand_over(scene->base, ID, 0, 1, 50, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    /* When it goes on, it leaves alone what nobody waits for. */
    assert_true(loop_pause(scene->loop, 100, NULL));
    assert_false(control_is_there(scene));
    end(scene);
}

/* What is said at `fd`, soon, while the loop runs. The caller frees it. */
static char *hear(struct scene *scene, int fd)
{
    char *said = must(calloc(1, 4096));

    for (int i = 0; i < SOON_MS / 10 && !is_readable(&fd); i++)
        (void)loop_pause(scene->loop, 10, NULL);
    assert_true(read(fd, said, 4095) >= 0);
    return said;
}

/* What the door says to `bytes`; the caller frees it. */
static char *say_to_door(struct scene *scene, const char *bytes, size_t len)
{
    AUTO_FREE char *path = NULL;
    struct error err = { 0 };
    char *said;
    int fd;

    assert_true(asprintf(&path, "%s/recv.sock", scene->dir) > 0);
    fd = connect_unix(path, &err);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    shutdown(fd, SHUT_WR);
    said = hear(scene, fd);
    close(fd);
    return said;
}

static void survives_whatever_comes_in(void **unused)
{
    struct scene *scene = begin(&transport_local);
    const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        { "\n", 1 },
        { "\0\0\0\n", 4 },
        { "{}\n", 3 },
        { "[]\n", 3 },
        { "{\"control\": true}\n", 18 },
        { "{\"control\": 1}\n", 15 },
        { "{\"lane\": 7, \"ticket\": null}\n", 28 },
        { "{\"lane\": \"disk/vda\"}\n", 21 },
        { "{{{{{{{{{{{{{{{{\n", 17 },
        { "\xff\xfe\xfd\n", 4 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_FREE char *said = say_to_door(scene, cases[i].bytes, cases[i].len);

        assert_non_null(strstr(said, "{\"error\":"));
    }
    assert_int_equal(scene->lanes_asked_for, 0);
    assert_false(control_is_there(scene));
    end(scene);
}

static void survives_those_who_say_too_much_or_nothing(void **unused)
{
    struct scene *scene = begin(&transport_local);
    char much[8192];
    AUTO_FREE char *answer = NULL;
    AUTO_FREE char *silence = NULL;
    (void)unused;

    memset(much, 'x', sizeof(much));
    answer = say_to_door(scene, much, 4096);
    assert_string_equal(answer, "{\"error\":\"the request is too long\"}\n");
    silence = say_to_door(scene, much, 0);
    assert_string_equal(silence, "");
    free(say_to_door(scene, much, 100));
    end(scene);
}

static void send_with_fds(int to, const char *text, size_t count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(8 * sizeof(int))];
    } rights = { 0 };
    struct iovec bytes = { (char *)text, strlen(text) };
    struct msghdr message = { .msg_iov = &bytes,
                              .msg_iovlen = 1,
                              .msg_control = &rights,
                              .msg_controllen = CMSG_SPACE(count * sizeof(int)) };

    rights.header.cmsg_level = SOL_SOCKET;
    rights.header.cmsg_type = SCM_RIGHTS;
    rights.header.cmsg_len = CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; i++)
        memcpy(rights.space + CMSG_LEN(i * sizeof(int)), &to, sizeof(to));
    assert_int_equal(sendmsg(to, &message, 0), strlen(text));
}

static size_t open_descriptors(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void closes_descriptors_that_nobody_asked_for(void **unused)
{
    struct scene *scene = begin(&transport_local);
    AUTO_FREE char *path = NULL;
    size_t before;
    int fd;
    (void)unused;

    assert_true(asprintf(&path, "%s/recv.sock", scene->dir) > 0);
    (void)loop_pause(scene->loop, 10, NULL); /* the loop opens its own at its first turn */
    before = open_descriptors();
    fd = connect_unix(path, NULL);
    send_with_fds(fd, "{\"lane\": \"disk/vda\",", 2);
    send_with_fds(fd, "\"ticket\":", 8);
    send_with_fds(fd, "\"?\"}\n", 1);
    free(hear(scene, fd));
    close(fd);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(scene->lanes_asked_for, 0);
    end(scene);
}

/* This program as `local:` starts it. */
static int be_lane(char **words)
{
    struct error err = { 0 };

    if (lane_join(getenv("TEST_LANE_DIR"), words[0], words[1], words[2], STDIN_FILENO,
                  STDOUT_FILENO, &err))
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
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
        cmocka_unit_test(the_last_words_of_a_limited_lane_arrive),
        cmocka_unit_test(refuses_another_ticket_without_asking_the_hypervisor),
        cmocka_unit_test(passes_the_receivers_reason_on),
        cmocka_unit_test(says_that_nobody_receives),
        cmocka_unit_test(no_id_leads_to_another_directory),
        cmocka_unit_test(hands_a_control_connection_over_and_stays_until_it_ends),
        cmocka_unit_test(gives_up_on_a_receiver_that_is_stopped),
        cmocka_unit_test(survives_whatever_comes_in),
        cmocka_unit_test(survives_those_who_say_too_much_or_nothing),
        cmocka_unit_test(closes_descriptors_that_nobody_asked_for),
    };

    signal(SIGPIPE, SIG_IGN);
    if (argc == 5 && !strcmp(argv[1], "lane"))
        return be_lane(argv + 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

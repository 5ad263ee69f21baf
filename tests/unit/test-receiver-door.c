/* The receiver's door, asked by threads: whom it lets in, and what it survives. */
#include "tests/unit/clock.h"
#include "tests/unit/lane-scene.h"

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
                           asking->in, asking->out, false, &asking->err);
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

    assert_false(lane_join(scene->base, "fedcba9876543210", TICKET, "ram", 0, 1, false, &err));
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

    assert_false(lane_join("/tmp", "../../../../x", TICKET, "ram", 0, 1, false, &err));
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

    make_pair(both);
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

        assert_says(said, "{\"error\":");
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

static int knock(const struct scene *scene)
{
    AUTO_FREE char *path = NULL;
    int fd;

    assert_true(asprintf(&path, "%s/recv.sock", scene->dir) > 0);
    fd = connect_unix(path, NULL);
    assert_true(fd >= 0);
    return fd;
}

static void who_says_no_ticket_in_time_is_sent_away(void **unused)
{
    struct scene *scene = begin(&transport_local);
    int silent = knock(scene), slow = knock(scene);
    AUTO_FREE char *said = NULL;
    AUTO_FREE char *more = NULL;
    (void)unused;

    assert_int_equal(write(slow, "{\"lane\":", 8), 8);
    (void)loop_pause(scene->loop, 20, NULL);
    time_passes(9 * 1000);
    (void)loop_pause(scene->loop, 20, NULL);
    assert_false(is_readable(&silent) || is_readable(&slow));
    time_passes(2 * 1000);
    said = hear(scene, silent);
    more = hear(scene, slow);
    assert_says(said, "the request did not come in time");
    assert_says(more, "the request did not come in time");
    close(silent);
    close(slow);
    end(scene);
}

/* A ticket still opens a lane while many say nothing. */
static void many_who_say_nothing_take_nobodys_place(void **unused)
{
    enum {
        MANY = 300
    };
    struct scene *scene = begin(&transport_local);
    struct asking asking = { scene, ID, TICKET, "disk/vdb", 0, 1, .ok = false };
    int silent[MANY];
    AUTO_FREE char *said = NULL;
    (void)unused;

    for (int i = 0; i < MANY; i++) {
        silent[i] = knock(scene);
        (void)loop_pause(scene->loop, 1, NULL);
    }
    said = hear(scene, silent[0]);
    assert_says(said, "too many others ask");
    assert_false(is_readable(&silent[MANY - 1]));
    start(&asking, join_lane);
    assert_false(ends_well(&asking));
    assert_int_equal(scene->lanes_asked_for, 1);
    for (int i = 0; i < MANY; i++)
        close(silent[i]);
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

/* The reader has gone already, and a call before was interrupted. */
static void a_probe_ends_with_its_reader(void **unused)
{
    struct error err = { 0 };
    int in[2], out[2];
    (void)unused;

    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    close(in[1]);
    errno = EINTR;
    assert_true(lane_join("/none", ID, TICKET, "probe", in[0], out[1], false, &err));
    close(in[0]);
    close(out[0]);
    close(out[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_another_ticket_without_asking_the_hypervisor),
        cmocka_unit_test(passes_the_receivers_reason_on),
        cmocka_unit_test(says_that_nobody_receives),
        cmocka_unit_test(no_id_leads_to_another_directory),
        cmocka_unit_test(hands_a_control_connection_over_and_stays_until_it_ends),
        cmocka_unit_test(gives_up_on_a_receiver_that_is_stopped),
        cmocka_unit_test(survives_whatever_comes_in),
        cmocka_unit_test(survives_those_who_say_too_much_or_nothing),
        cmocka_unit_test(who_says_no_ticket_in_time_is_sent_away),
        cmocka_unit_test(many_who_say_nothing_take_nobodys_place),
        cmocka_unit_test(closes_descriptors_that_nobody_asked_for),
        cmocka_unit_test(a_probe_ends_with_its_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

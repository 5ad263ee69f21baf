/* Lanes from end to end: the sender's door, `xmig lane` (the test program, started again), the
 * receiver's door, and both hypervisors, which are threads here.
 */
#ifndef TESTS_UNIT_LANE_SCENE_H
#define TESTS_UNIT_LANE_SCENE_H

#include <poll.h>
#include <signal.h>

#include "tests/unit/helpers.h"
#include "tests/unit/traffic.h"
#include "transport/internal.h"
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
    char *base;
    char *dir; /* BASE/ID */
    struct transport_options options;
    struct transport *transport;
    struct receiver_door *receiver;
    int lanes_asked_for;
    int far; /* the receiving hypervisor's end of the last lane; -1: none yet */
    int control[2];
};

static inline int give_lane(void *arg, const char *name, struct error *err)
{
    struct scene *scene = arg;
    int both[2];

    scene->lanes_asked_for++;
    if (strcmp(name, "disk/vda")) {
        error_set(err, ERROR_REFUSED, "there is no lane '%s'", name);
        return -1;
    }
    make_pair(both);
    if (scene->far >= 0)
        close(scene->far);
    scene->far = both[0];
    return both[1];
}

static inline void take_control(void *arg, int in_fd, int out_fd)
{
    struct scene *scene = arg;

    scene->control[0] = in_fd;
    scene->control[1] = out_fd;
}

static inline struct scene *begin_limited(const struct transport_ops *ops, uint64_t bandwidth)
{
    struct scene *scene = must(calloc(1, sizeof(*scene)));
    struct error err = { 0 };

    signal(SIGPIPE, SIG_IGN);
    scene->loop = loop_new();
    scene->far = scene->control[0] = scene->control[1] = -1;
    scene->base = make_directory();
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

static inline struct scene *begin(const struct transport_ops *ops)
{
    return begin_limited(ops, 0);
}

/* Everything is gone afterwards, also from the file system. */
static inline void end(struct scene *scene)
{
    transport_free(scene->transport);
    receiver_door_free(scene->receiver);
    loop_free(scene->loop);
    close(scene->far);
    close(scene->control[0]);
    close(scene->control[1]);
    remove_empty(scene->base);
    free(scene->dir);
    free(scene);
}

static inline bool lane_is_there(void *arg)
{
    const struct scene *scene = arg;

    return scene->far >= 0;
}

static inline bool no_lane_is_left(void *arg)
{
    const struct scene *scene = arg;

    return !scene->transport->lanes;
}

static inline bool control_is_there(void *arg)
{
    const struct scene *scene = arg;

    return scene->control[1] >= 0;
}

static inline void wait_until(struct scene *scene, bool (*what)(void *arg))
{
    struct error err = { 0 };

    assert_ok(loop_wait(scene->loop, what, scene, SOON_MS, &err), &err);
}

static inline bool is_readable(void *arg)
{
    struct pollfd polled = { .fd = *(int *)arg, .events = POLLIN };

    return poll(&polled, 1, 0) > 0;
}

/* The end of `fd` has come, or comes within seconds, while the loop runs. */
static inline void assert_ends(struct scene *scene, int fd)
{
    char byte;

    for (int i = 0; i < SOON_MS / 10 && !is_readable(&fd); i++)
        (void)loop_pause(scene->loop, 10, NULL);
    assert_true(is_readable(&fd));
    assert_true(read(fd, &byte, 1) <= 0);
}

/* A door of the sender's, somebody who has connected to it, and the lane behind it, which is
 * compressed if the receiver knows that.
 */
static inline struct lane_door *open_lane(struct scene *scene, int *near)
{
    struct error err = { 0 };
    struct lane_door *door = lane_door_new(scene->transport, "disk/vda", true, &err);

    assert_string_equal(err.text, "");
    *near = connect_unix(lane_door_path(door), &err);
    assert_true(*near >= 0);
    wait_until(scene, lane_is_there);
    return door;
}

/* This program as `local:` starts it: `xmig lane`. */
static inline int be_lane(char **words)
{
    struct error err = { 0 };

    if (lane_join(getenv("TEST_LANE_DIR"), words[0], words[1], words[2], STDIN_FILENO,
                  STDOUT_FILENO, words[3] != NULL, &err))
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}

#endif

/* The simulated VM's lane, and what a peer may send into it that no simulated VM sends. */
#include "host/simulated/lane.h"

#include "tests/unit/helpers.h"

enum {
    SOON_MS = 10000
};

struct scene {
    struct loop *loop;
    struct simulated_lane *lane;
    int peer;
};

static struct scene begin(void)
{
    struct scene scene = { .loop = loop_new() };
    struct error err = { 0 };
    int both[2];

    make_pair(both);
    scene.peer = both[1];
    scene.lane = simulated_lane_new(scene.loop, both[0], &err);
    assert_ok(scene.lane != NULL, &err);
    return scene;
}

static void end(struct scene *scene)
{
    simulated_lane_free(scene->lane);
    close(scene->peer);
    loop_free(scene->loop);
}

static void say(const struct scene *scene, const void *bytes, size_t len)
{
    assert_int_equal(write(scene->peer, bytes, len), (ssize_t)len);
}

static void hears_bulk_and_a_last_word(void **unused)
{
    struct scene scene = begin();
    struct error err = { 0 };
    (void)unused;

    say(&scene,
        "B\0\0\0\3abcF\0\0\0\2"
        "42",
        15);
    assert_ok(simulated_lane_await_final(scene.lane, &err), &err);
    assert_int_equal(scene.lane->heard, 3);
    assert_int_equal(scene.lane->final, 42);
    end(&scene);
}

/* Added to the five bytes before it, in 32 bits, such a length is small again. */
static void ends_at_a_length_that_nobody_sends(void **unused)
{
    const char *const lengths[] = { "\xff\xff\xff\xff", "\xff\xff\xff\xfb", "\xff\xff\xff\xfc",
                                    "\x80\0\0\0", "\0\1\0\1" };
    (void)unused;

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct scene scene = begin();
        struct error err = { 0 };

        say(&scene, "B", 1);
        say(&scene, lengths[i], 4);
        say(&scene, "more", 4);
        assert_false(simulated_lane_await_final(scene.lane, &err));
        assert_int_equal(err.kind, ERROR_LOST);
        assert_int_equal(scene.lane->heard, 0);
        end(&scene);
    }
}

static bool has_ended(void *arg)
{
    return stream_ended(arg, NULL);
}

/* Each answer would wait in memory for a peer that does not read. */
static void acknowledges_one_last_word_and_takes_no_other(void **unused)
{
    const char *const more[] = { "F\0\0\0\1\1", "A\0\0\0\1\1", "?\0\0\0\1\1" };
    (void)unused;

    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        struct scene scene = begin();
        struct error err = { 0 };
        char answer[16];

        say(&scene,
            "F\0\0\0\1"
            "7",
            6);
        say(&scene, more[i], 6);
        assert_ok(loop_wait(scene.loop, has_ended, scene.lane->stream, SOON_MS, &err), &err);
        assert_int_equal(scene.lane->final, 7);
        assert_int_equal(read(scene.peer, answer, sizeof(answer)), 6);
        assert_memory_equal(answer,
                            "A\0\0\0\1"
                            "7",
                            6);
        end(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hears_bulk_and_a_last_word),
        cmocka_unit_test(ends_at_a_length_that_nobody_sends),
        cmocka_unit_test(acknowledges_one_last_word_and_takes_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

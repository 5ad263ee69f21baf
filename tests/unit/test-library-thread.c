/* A thread that takes turns with the loop. */
#include "xmig/library-thread.h"

#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/helpers.h"

struct scene {
    struct loop *loop;
    pthread_t loop_thread;
    struct library_thread *thread;
    atomic_bool stop;
    unsigned calls;
    unsigned looks;
    unsigned give_up_after;
    bool waited;
    bool on_loop_thread;
};

static void set_up(struct scene *scene)
{
    *scene = (struct scene){ .loop = loop_new(), .loop_thread = pthread_self() };
}

static void stop(void *arg)
{
    struct scene *scene = arg;

    atomic_store(&scene->stop, true);
}

static void nap(void)
{
    const struct timespec millisecond = { .tv_nsec = 1000000 };

    nanosleep(&millisecond, NULL);
}

static void wait_a_little(void *arg)
{
    struct scene *scene = arg;

    scene->calls++;
    scene->on_loop_thread = pthread_equal(pthread_self(), scene->loop_thread);
    scene->waited = loop_pause(scene->loop, 1, NULL);
}

static void call_three_times(struct library_thread *thread, void *arg)
{
    for (int i = 0; i < 3; i++)
        library_thread_call(thread, wait_a_little, arg);
}

static void calls_back_on_the_loops_thread_where_it_may_wait(void **unused)
{
    struct scene scene;
    const struct library_work work = { .run = call_three_times, .arg = &scene };
    struct error err = { 0 };

    (void)unused;
    set_up(&scene);
    assert_true(library_thread_run(scene.loop, &work, &err));
    assert_int_equal(scene.calls, 3);
    assert_true(scene.on_loop_thread);
    assert_true(scene.waited);
    loop_free(scene.loop);
}

static void work_until_stopped(struct library_thread *thread, void *arg)
{
    struct scene *scene = arg;

    (void)thread;
    while (!atomic_load(&scene->stop))
        nap();
}

static bool look(void *arg, struct error *err)
{
    struct scene *scene = arg;

    if (++scene->looks < scene->give_up_after)
        return true;
    return error_set(err, ERROR_SYSTEM, "seen enough");
}

static void looks_now_and_then_and_cancels_on_what_it_sees(void **unused)
{
    struct scene scene;
    const struct library_work work = {
        .run = work_until_stopped, .cancel = stop, .look = look, .look_ms = 1, .arg = &scene
    };
    struct error err = { 0 };

    (void)unused;
    set_up(&scene);
    scene.give_up_after = 3;
    assert_false(library_thread_run(scene.loop, &work, &err));
    assert_int_equal(scene.looks, 3);
    assert_string_equal(err.text, "seen enough");
    assert_false(loop_interrupted(scene.loop));
    loop_free(scene.loop);
}

static void on_timer(uv_timer_t *timer)
{
    struct scene *scene = timer->data;
    struct error why = { 0 };

    error_set(&why, ERROR_CANCELLED, "enough");
    loop_interrupt(scene->loop, &why);
}

static void an_interruption_cancels_and_stays(void **unused)
{
    struct scene scene;
    const struct library_work work = { .run = work_until_stopped, .cancel = stop, .arg = &scene };
    struct error err = { 0 };
    uv_timer_t timer;

    (void)unused;
    set_up(&scene);
    uv_timer_init(loop_uv(scene.loop), &timer);
    timer.data = &scene;
    uv_timer_start(&timer, on_timer, 5, 0);
    assert_false(library_thread_run(scene.loop, &work, &err));
    assert_int_equal(err.kind, ERROR_CANCELLED);
    assert_true(loop_interrupted(scene.loop));
    uv_close((uv_handle_t *)&timer, NULL);
    loop_free(scene.loop);
}

static void see_the_end(void *arg)
{
    struct scene *scene = arg;

    scene->calls++;
    scene->waited = loop_pause(scene->loop, 1, NULL);
}

/* As libxc does, which switches QEMU's dirty log off after it was cancelled. */
static void work_and_clean_up(struct library_thread *thread, void *arg)
{
    work_until_stopped(thread, arg);
    if (library_thread_cancelled(thread))
        library_thread_call(thread, see_the_end, arg);
}

static void what_it_does_after_being_cancelled_may_wait_too(void **unused)
{
    struct scene scene;
    const struct library_work work = { .run = work_and_clean_up, .cancel = stop, .arg = &scene };
    struct error why = { 0 };
    struct error err = { 0 };

    (void)unused;
    set_up(&scene);
    error_set(&why, ERROR_LOST, "the peer is gone");
    loop_interrupt(scene.loop, &why);
    assert_false(library_thread_run(scene.loop, &work, &err));
    assert_int_equal(err.kind, ERROR_LOST);
    assert_int_equal(scene.calls, 1);
    assert_true(scene.waited);
    assert_true(loop_interrupted(scene.loop));
    loop_free(scene.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_back_on_the_loops_thread_where_it_may_wait),
        cmocka_unit_test(looks_now_and_then_and_cancels_on_what_it_sees),
        cmocka_unit_test(an_interruption_cancels_and_stays),
        cmocka_unit_test(what_it_does_after_being_cancelled_may_wait_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

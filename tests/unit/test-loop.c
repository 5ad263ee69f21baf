/* Waiting: what ends a wait, what beats what, and that a callback never waits. */
#include "xmig/loop.h"

#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/clock.h"
#include "tests/unit/helpers.h"

enum {
    SHORT_MS = 20,
    LONG_MS = 60 * 1000
};

static const struct error peer_gone = { .kind = ERROR_LOST, .text = "the peer has gone" };
static const struct error ctrl_c = { .kind = ERROR_CANCELLED, .text = "interrupted by Ctrl-C" };

/* A loop, and what a timer does to it after a while. There is also somebody who could send
 * us something, but never does: as long as that is so, libuv has a reason to sleep.
 */
struct scene {
    struct loop *loop;
    uv_timer_t timer;
    uv_async_t silent;
    bool ready;
    const struct error *interruption;
    int ticks;
};

static void begin(struct scene *scene)
{
    *scene = (struct scene){ .loop = loop_new() };
    uv_timer_init(loop_uv(scene->loop), &scene->timer);
    scene->timer.data = scene;
    uv_async_init(loop_uv(scene->loop), &scene->silent, NULL);
}

/* Handles that are still open are closed by the loop. */
static void end(struct scene *scene)
{
    loop_free(scene->loop);
}

static void on_timer(uv_timer_t *timer)
{
    struct scene *scene = timer->data;

    scene->ticks++;
    if (scene->interruption)
        loop_interrupt(scene->loop, scene->interruption);
    else
        scene->ready = true;
}

static void become_ready_in(struct scene *scene, uint64_t delay_ms)
{
    uv_timer_start(&scene->timer, on_timer, delay_ms, 0);
}

static void interrupt_in(struct scene *scene, uint64_t delay_ms, const struct error *why)
{
    scene->interruption = why;
    uv_timer_start(&scene->timer, on_timer, delay_ms, 0);
}

static bool is_ready(void *arg)
{
    const struct scene *scene = arg;

    return scene->ready;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

/* ---- what ends a wait ---- */

static void waits_until_a_callback_makes_the_condition_true(void **unused)
{
    struct scene scene;
    struct error err = { 0 };
    (void)unused;

    begin(&scene);
    become_ready_in(&scene, 1);
    assert_true(loop_wait(scene.loop, is_ready, &scene, LONG_MS, &err));
    assert_int_equal(err.kind, ERROR_NONE);
    end(&scene);
}

static void does_not_turn_the_loop_when_the_condition_holds_already(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    scene.ready = true;
    become_ready_in(&scene, 0);
    assert_true(loop_wait(scene.loop, is_ready, &scene, LONG_MS, NULL));
    assert_int_equal(scene.ticks, 0);
    end(&scene);
}

static void ends_at_the_deadline(void **unused)
{
    struct scene scene;
    struct error err = { 0 };
    uint64_t begun_ms = loop_now_ms();
    (void)unused;

    begin(&scene);
    assert_false(loop_wait(scene.loop, is_ready, &scene, 100, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    assert_string_equal(err.text, "nothing came within 0.1 s");
    assert_true(loop_now_ms() >= begun_ms + 99);
    end(&scene);
}

/* Somebody was busy for a minute, and libuv has not looked at the clock since. */
static void counts_the_deadline_from_the_beginning_of_the_wait(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    become_ready_in(&scene, 60 * 1000 + SHORT_MS);
    time_passes(60 * 1000);
    assert_true(loop_wait(scene.loop, is_ready, &scene, 30 * 1000, NULL));
    end(&scene);
}

static void can_be_waited_for_again_after_a_deadline(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    assert_false(loop_wait(scene.loop, is_ready, &scene, 1, NULL));
    become_ready_in(&scene, SHORT_MS);
    assert_true(loop_wait(scene.loop, is_ready, &scene, LONG_MS, NULL));
    end(&scene);
}

static void ends_when_it_is_interrupted(void **unused)
{
    struct scene scene;
    struct error err = { 0 };
    (void)unused;

    begin(&scene);
    interrupt_in(&scene, 1, &peer_gone);
    assert_false(loop_wait(scene.loop, is_ready, &scene, LONG_MS, &err));
    assert_int_equal(err.kind, ERROR_LOST);
    assert_string_equal(err.text, "the peer has gone");
    end(&scene);
}

/* libuv before 1.45 would sleep for ever here, once the timer has run. */
static void wakes_for_an_interruption_when_there_is_no_deadline(void **unused)
{
    struct scene scene;
    struct error err = { 0 };
    (void)unused;

    begin(&scene);
    interrupt_in(&scene, 0, &ctrl_c);
    assert_false(loop_wait(scene.loop, is_ready, &scene, LOOP_NO_DEADLINE, &err));
    assert_int_equal(err.kind, ERROR_CANCELLED);
    end(&scene);
}

/* ---- what beats what ---- */

static void a_condition_that_holds_beats_an_interruption(void **unused)
{
    struct scene scene;
    struct error err = { 0 };
    (void)unused;

    begin(&scene);
    loop_interrupt(scene.loop, &peer_gone);
    scene.ready = true;
    assert_true(loop_wait(scene.loop, is_ready, &scene, LONG_MS, &err));
    assert_int_equal(err.kind, ERROR_NONE);
    end(&scene);
}

static void on_timer_with_last_words(uv_timer_t *timer)
{
    struct scene *scene = timer->data;

    scene->ready = true;
    loop_interrupt(scene->loop, &peer_gone);
}

/* The peer's last words and the loss of its connection come in one turn of the loop. */
static void a_condition_that_comes_with_an_interruption_beats_it(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    uv_timer_start(&scene.timer, on_timer_with_last_words, 1, 0);
    assert_true(loop_wait(scene.loop, is_ready, &scene, LONG_MS, NULL));
    assert_true(loop_interrupted(scene.loop));
    end(&scene);
}

static bool is_ready_after_a_while(void *arg)
{
    time_passes(1000);
    return is_ready(arg);
}

/* Both are overdue at the loop's first turn, the deadline even longer. */
static void a_condition_that_comes_with_the_deadline_beats_it(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    become_ready_in(&scene, 500);
    assert_true(loop_wait(scene.loop, is_ready_after_a_while, &scene, 1, NULL));
    end(&scene);
}

/* A second timer, by which a loop that sleeps nevertheless awakes. */
static void tick_later(struct scene *scene, uv_timer_t *later)
{
    uv_timer_init(loop_uv(scene->loop), later);
    later->data = scene;
    uv_timer_start(later, on_timer, 5000, 0);
}

static void does_not_sleep_when_a_timer_that_was_due_has_made_the_condition_true(void **unused)
{
    struct scene scene;
    uv_timer_t later;
    (void)unused;

    begin(&scene);
    tick_later(&scene, &later);
    become_ready_in(&scene, 500);
    assert_true(loop_wait(scene.loop, is_ready_after_a_while, &scene, LONG_MS, NULL));
    assert_int_equal(scene.ticks, 1);
    end(&scene);
}

static void does_not_sleep_when_the_deadline_was_due(void **unused)
{
    struct scene scene;
    uv_timer_t later;
    (void)unused;

    begin(&scene);
    tick_later(&scene, &later);
    assert_false(loop_wait(scene.loop, is_ready_after_a_while, &scene, 500, NULL));
    end(&scene);
}

static void an_interruption_beats_a_deadline(void **unused)
{
    struct scene scene;
    struct error err = { 0 };
    (void)unused;

    begin(&scene);
    loop_interrupt(scene.loop, &ctrl_c);
    assert_false(loop_wait(scene.loop, never, NULL, 1, &err));
    assert_int_equal(err.kind, ERROR_CANCELLED);
    end(&scene);
}

/* ---- interruptions stay ---- */

static void every_later_wait_fails_with_the_same_interruption(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    loop_interrupt(scene.loop, &peer_gone);
    for (int i = 0; i < 3; i++) {
        struct error err = { 0 };

        assert_false(loop_wait(scene.loop, never, NULL, LONG_MS, &err));
        assert_string_equal(err.text, "the peer has gone");
    }
    end(&scene);
}

static void the_first_interruption_stays(void **unused)
{
    struct scene scene;
    struct error err = { 0 };
    (void)unused;

    begin(&scene);
    loop_interrupt(scene.loop, &ctrl_c);
    loop_interrupt(scene.loop, &peer_gone);
    assert_false(loop_wait(scene.loop, never, NULL, LONG_MS, &err));
    assert_string_equal(err.text, "interrupted by Ctrl-C");
    end(&scene);
}

static void waits_as_ever_once_the_interruption_is_cleared(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    loop_interrupt(scene.loop, &ctrl_c);
    loop_clear_interruption(scene.loop);
    assert_false(loop_interrupted(scene.loop));
    become_ready_in(&scene, 1);
    assert_true(loop_wait(scene.loop, is_ready, &scene, LONG_MS, NULL));
    end(&scene);
}

/* ---- pauses ---- */

static void does_what_comes_in_during_a_pause(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    become_ready_in(&scene, 1);
    assert_true(loop_pause(scene.loop, SHORT_MS, NULL));
    assert_int_equal(scene.ticks, 1);
    end(&scene);
}

static void a_pause_can_be_interrupted(void **unused)
{
    struct scene scene;
    struct error err = { 0 };
    (void)unused;

    begin(&scene);
    interrupt_in(&scene, 1, &ctrl_c);
    assert_false(loop_pause(scene.loop, LONG_MS, &err));
    assert_int_equal(err.kind, ERROR_CANCELLED);
    end(&scene);
}

/* The whole move's deadline is an interruption of that kind. */
static void an_interruption_that_is_a_timeout_is_not_taken_for_the_pauses_end(void **unused)
{
    const struct error too_late = { .kind = ERROR_TIMEOUT, .text = "the move takes too long" };
    struct scene scene;
    struct error err = { 0 };
    (void)unused;

    begin(&scene);
    interrupt_in(&scene, 1, &too_late);
    assert_false(loop_pause(scene.loop, LONG_MS, &err));
    assert_string_equal(err.text, "the move takes too long");
    end(&scene);
}

/* ---- rules ---- */

static void wait_in_a_callback(uv_timer_t *timer)
{
    struct scene *scene = timer->data;

    (void)loop_wait(scene->loop, never, NULL, 1, NULL);
}

static void die_of_waiting_in_a_callback(void)
{
    struct scene scene;

    begin(&scene);
    uv_timer_start(&scene.timer, wait_in_a_callback, 0, 0);
    (void)loop_wait(scene.loop, never, NULL, SHORT_MS, NULL);
}

static void a_callback_that_waits_ends_the_program(void **unused)
{
    int status;
    pid_t pid = fork();
    (void)unused;

    assert_true(pid >= 0);
    if (pid == 0) {
        die_of_waiting_in_a_callback();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void closes_what_is_still_open(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    become_ready_in(&scene, LONG_MS);
    loop_free(scene.loop);
    assert_true(uv_is_closing((uv_handle_t *)&scene.timer));
    loop_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_until_a_callback_makes_the_condition_true),
        cmocka_unit_test(does_not_turn_the_loop_when_the_condition_holds_already),
        cmocka_unit_test(ends_at_the_deadline),
        cmocka_unit_test(counts_the_deadline_from_the_beginning_of_the_wait),
        cmocka_unit_test(can_be_waited_for_again_after_a_deadline),
        cmocka_unit_test(ends_when_it_is_interrupted),
        cmocka_unit_test(wakes_for_an_interruption_when_there_is_no_deadline),
        cmocka_unit_test(a_condition_that_holds_beats_an_interruption),
        cmocka_unit_test(a_condition_that_comes_with_an_interruption_beats_it),
        cmocka_unit_test(a_condition_that_comes_with_the_deadline_beats_it),
        cmocka_unit_test(does_not_sleep_when_a_timer_that_was_due_has_made_the_condition_true),
        cmocka_unit_test(does_not_sleep_when_the_deadline_was_due),
        cmocka_unit_test(an_interruption_beats_a_deadline),
        cmocka_unit_test(every_later_wait_fails_with_the_same_interruption),
        cmocka_unit_test(the_first_interruption_stays),
        cmocka_unit_test(waits_as_ever_once_the_interruption_is_cleared),
        cmocka_unit_test(does_what_comes_in_during_a_pause),
        cmocka_unit_test(a_pause_can_be_interrupted),
        cmocka_unit_test(an_interruption_that_is_a_timeout_is_not_taken_for_the_pauses_end),
        cmocka_unit_test(a_callback_that_waits_ends_the_program),
        cmocka_unit_test(closes_what_is_still_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

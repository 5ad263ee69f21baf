/* The loop, and waiting on it. */
#include "xmig/loop.h"

#include <assert.h>
#include <inttypes.h>
#include <time.h>

#include "xmig/cleanup.h"

struct loop {
    uv_loop_t uv;
    uv_timer_t deadline;
    uv_prepare_t before_sleep;
    bool (*ready)(void *arg); /* what is waited for; NULL: nothing */
    void *arg;
    bool waiting;
    bool expired;
    bool interrupted;
    struct error interruption;
};

struct loop *loop_new(void)
{
    struct loop *loop = must(calloc(1, sizeof(*loop)));

    if (uv_loop_init(&loop->uv) || uv_timer_init(&loop->uv, &loop->deadline) ||
        uv_prepare_init(&loop->uv, &loop->before_sleep))
        abort();
    return loop;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    /* Owners have closed theirs; this runs their close callbacks. */
    uv_close((uv_handle_t *)&loop->deadline, NULL);
    uv_close((uv_handle_t *)&loop->before_sleep, NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    uv_walk(&loop->uv, close_handle, NULL);
    while (uv_loop_close(&loop->uv) == UV_EBUSY)
        uv_run(&loop->uv, UV_RUN_ONCE);
    free(loop);
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

static struct loop *loop_of(uv_timer_t *timer)
{
    return (struct loop *)((char *)timer - offsetof(struct loop, deadline));
}

/* libuv before 1.45 may run a due timer and then sleep in poll for ever under
 * UV_RUN_ONCE; uv_stop() makes it return.
 */
static void on_deadline(uv_timer_t *timer)
{
    struct loop *loop = loop_of(timer);

    loop->expired = true;
    uv_stop(&loop->uv);
}

/* A timer's callback that has just run may have made it so: there is nothing to sleep for. */
static void on_before_sleep(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;

    if (loop->ready(loop->arg))
        uv_stop(&loop->uv);
}

static bool wait_until(struct loop *loop, bool (*ready)(void *arg), void *arg, uint64_t timeout_ms,
                       struct error *err)
{
    for (;;) {
        if (ready(arg))
            return true;
        if (loop->interrupted) {
            if (err)
                *err = loop->interruption;
            return false;
        }
        if (loop->expired)
            return error_set(err, ERROR_TIMEOUT, "nothing came within %" PRIu64 ".%" PRIu64 " s",
                             timeout_ms / 1000, timeout_ms % 1000 / 100);
        uv_run(&loop->uv, UV_RUN_ONCE);
    }
}

bool loop_wait(struct loop *loop, bool (*ready)(void *arg), void *arg, uint64_t timeout_ms,
               struct error *err)
{
    bool ok;

    assert(timeout_ms != 0);
    if (loop->waiting)
        abort(); /* a callback has tried to wait */
    loop->waiting = true;
    loop->expired = false;
    if (timeout_ms != LOOP_NO_DEADLINE) {
        uv_update_time(&loop->uv);
        uv_timer_start(&loop->deadline, on_deadline, timeout_ms, 0);
    }
    loop->ready = ready;
    loop->arg = arg;
    loop->before_sleep.data = loop;
    uv_prepare_start(&loop->before_sleep, on_before_sleep);
    ok = wait_until(loop, ready, arg, timeout_ms, err);
    uv_prepare_stop(&loop->before_sleep);
    uv_timer_stop(&loop->deadline);
    loop->waiting = false;
    return ok;
}

bool loop_wait_anyway(struct loop *loop, bool (*ready)(void *arg), void *arg, uint64_t timeout_ms)
{
    struct error interruption = { 0 };
    bool came;

    if (loop_wait(loop, ready, arg, timeout_ms, &interruption))
        return true;
    if (!loop_interrupted(loop))
        return false;
    loop_clear_interruption(loop);
    came = loop_wait(loop, ready, arg, timeout_ms, NULL);
    loop_interrupt(loop, &interruption);
    return came;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

bool loop_pause(struct loop *loop, uint64_t delay_ms, struct error *err)
{
    struct error why = { 0 };

    (void)loop_wait(loop, never, NULL, delay_ms, &why);
    if (why.kind == ERROR_TIMEOUT && !loop->interrupted)
        return true;
    if (err)
        *err = why;
    return false;
}

void loop_interrupt(struct loop *loop, const struct error *why)
{
    if (loop->interrupted)
        return;
    loop->interrupted = true;
    loop->interruption = *why;
    uv_stop(&loop->uv);
}

bool loop_interrupted(const struct loop *loop)
{
    return loop->interrupted;
}

void loop_clear_interruption(struct loop *loop)
{
    loop->interrupted = false;
}

uint64_t loop_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

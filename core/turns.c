/* Two threads that take turns. */
#include "xmig/turns.h"

#include <stdatomic.h>

#include "xmig/cleanup.h"

struct turns {
    const struct turns_work *work;
    uv_async_t wake; /* the loop */
    uv_thread_t thread;
    uv_mutex_t mutex; /* of all below */
    uv_cond_t done;
    void (*function)(void *arg); /* the thread's request; NULL: none */
    void *arg;
    bool ended;
    atomic_bool cancelled;
};

/* ---- on the thread ---- */

void turns_call(struct turns *turns, void (*function)(void *arg), void *arg)
{
    uv_mutex_lock(&turns->mutex);
    turns->function = function;
    turns->arg = arg;
    uv_async_send(&turns->wake);
    while (turns->function)
        uv_cond_wait(&turns->done, &turns->mutex);
    uv_mutex_unlock(&turns->mutex);
}

static void run_thread(void *arg)
{
    struct turns *turns = arg;

    turns->work->run(turns, turns->work->arg);
    uv_mutex_lock(&turns->mutex);
    turns->ended = true;
    uv_async_send(&turns->wake);
    uv_mutex_unlock(&turns->mutex);
}

bool turns_cancelled(struct turns *turns)
{
    return atomic_load(&turns->cancelled);
}

/* ---- on the loop's thread ---- */

/* Waking the loop is enough: the waiting code then looks at its condition. */
static void on_wake(uv_async_t *wake)
{
    (void)wake;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static bool is_our_turn(void *arg)
{
    struct turns *turns = arg;
    bool ours;

    uv_mutex_lock(&turns->mutex);
    ours = turns->function || turns->ended;
    uv_mutex_unlock(&turns->mutex);
    return ours;
}

/* Do what the thread asks for. False: it has ended. */
static bool take_turn(struct turns *turns)
{
    void (*function)(void *arg);

    uv_mutex_lock(&turns->mutex);
    function = turns->function;
    uv_mutex_unlock(&turns->mutex);
    if (!function)
        return false;
    function(turns->arg);
    uv_mutex_lock(&turns->mutex);
    turns->function = NULL;
    uv_cond_signal(&turns->done);
    uv_mutex_unlock(&turns->mutex);
    return true;
}

static struct turns *turns_new(struct loop *loop, const struct turns_work *work)
{
    struct turns *turns = must(calloc(1, sizeof(*turns)));

    turns->work = work;
    turns->wake.data = turns;
    if (uv_mutex_init(&turns->mutex) || uv_cond_init(&turns->done) ||
        uv_async_init(loop_uv(loop), &turns->wake, on_wake))
        abort();
    return turns;
}

static void turns_free(struct turns *turns)
{
    uv_cond_destroy(&turns->done);
    uv_mutex_destroy(&turns->mutex);
    uv_close((uv_handle_t *)&turns->wake, on_closed);
}

/* Wait until it is our turn, looking now and then. */
static bool await_turn(struct loop *loop, struct turns *turns, struct error *err)
{
    const struct turns_work *work = turns->work;
    bool looks = work->look && !turns_cancelled(turns);

    for (;;) {
        struct error why = { 0 };

        if (loop_wait(loop, is_our_turn, turns, looks ? work->look_ms : LOOP_NO_DEADLINE, &why))
            return true;
        if (why.kind == ERROR_TIMEOUT && looks && !loop_interrupted(loop)) {
            if (work->look(work->arg, err))
                continue;
            return false;
        }
        *err = why;
        return false;
    }
}

static void cancel(struct turns *turns)
{
    if (!atomic_exchange(&turns->cancelled, true) && turns->work->cancel)
        turns->work->cancel(turns->work->arg);
}

/* An interruption of the loop is set aside while the thread's end is awaited, and then put back. */
bool turns_run(struct loop *loop, const struct turns_work *work, struct error *err)
{
    struct turns *turns = turns_new(loop, work);
    struct error why = { 0 };
    bool interrupted = false;
    bool cancelled;

    if (uv_thread_create(&turns->thread, run_thread, turns))
        abort();
    for (;;) {
        struct error now = { 0 };

        if (await_turn(loop, turns, &now)) {
            if (!take_turn(turns))
                break;
            continue;
        }
        if (!why.kind)
            why = now;
        interrupted = interrupted || loop_interrupted(loop);
        loop_clear_interruption(loop);
        cancel(turns);
    }
    uv_thread_join(&turns->thread);
    cancelled = turns_cancelled(turns);
    turns_free(turns);
    if (interrupted)
        loop_interrupt(loop, &why);
    if (cancelled && err)
        *err = why;
    return !cancelled;
}

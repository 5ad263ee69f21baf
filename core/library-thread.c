/* A thread for a library, which takes turns with the loop's thread. */
#include "xmig/library-thread.h"

#include <stdatomic.h>

#include "xmig/cleanup.h"

struct library_thread {
    const struct library_work *work;
    uv_async_t wake; /* the loop */
    uv_thread_t id;
    uv_mutex_t mutex; /* of all below */
    uv_cond_t done;
    void (*function)(void *arg); /* the thread's request; NULL: none */
    void *arg;
    bool ended;
    atomic_bool cancelled;
};

/* ---- on the thread ---- */

void library_thread_call(struct library_thread *thread, void (*function)(void *arg), void *arg)
{
    uv_mutex_lock(&thread->mutex);
    thread->function = function;
    thread->arg = arg;
    uv_async_send(&thread->wake);
    while (thread->function)
        uv_cond_wait(&thread->done, &thread->mutex);
    uv_mutex_unlock(&thread->mutex);
}

static void run_thread(void *arg)
{
    struct library_thread *thread = arg;

    thread->work->run(thread, thread->work->arg);
    uv_mutex_lock(&thread->mutex);
    thread->ended = true;
    uv_async_send(&thread->wake);
    uv_mutex_unlock(&thread->mutex);
}

bool library_thread_cancelled(struct library_thread *thread)
{
    return atomic_load(&thread->cancelled);
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
    struct library_thread *thread = arg;
    bool ours;

    uv_mutex_lock(&thread->mutex);
    ours = thread->function || thread->ended;
    uv_mutex_unlock(&thread->mutex);
    return ours;
}

/* Do what the thread asks for. False: it has ended. */
static bool take_turn(struct library_thread *thread)
{
    void (*function)(void *arg);

    uv_mutex_lock(&thread->mutex);
    function = thread->function;
    uv_mutex_unlock(&thread->mutex);
    if (!function)
        return false;
    function(thread->arg);
    uv_mutex_lock(&thread->mutex);
    thread->function = NULL;
    uv_cond_signal(&thread->done);
    uv_mutex_unlock(&thread->mutex);
    return true;
}

static struct library_thread *library_thread_new(struct loop *loop, const struct library_work *work)
{
    struct library_thread *thread = must(calloc(1, sizeof(*thread)));

    thread->work = work;
    thread->wake.data = thread;
    if (uv_mutex_init(&thread->mutex) || uv_cond_init(&thread->done) ||
        uv_async_init(loop_uv(loop), &thread->wake, on_wake))
        abort();
    return thread;
}

static void library_thread_free(struct library_thread *thread)
{
    uv_cond_destroy(&thread->done);
    uv_mutex_destroy(&thread->mutex);
    uv_close((uv_handle_t *)&thread->wake, on_closed);
}

/* Wait until it is our turn, looking now and then. */
static bool await_turn(struct loop *loop, struct library_thread *thread, struct error *err)
{
    const struct library_work *work = thread->work;
    bool looks = work->look && !library_thread_cancelled(thread);

    for (;;) {
        struct error why = { 0 };

        if (loop_wait(loop, is_our_turn, thread, looks ? work->look_ms : LOOP_NO_DEADLINE, &why))
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

static void cancel(struct library_thread *thread)
{
    if (!atomic_exchange(&thread->cancelled, true) && thread->work->cancel)
        thread->work->cancel(thread->work->arg);
}

/* An interruption of the loop is set aside while the thread's end is awaited, and then put back. */
bool library_thread_run(struct loop *loop, const struct library_work *work, struct error *err)
{
    struct library_thread *thread = library_thread_new(loop, work);
    struct error why = { 0 };
    bool interrupted = false;
    bool cancelled;

    if (uv_thread_create(&thread->id, run_thread, thread))
        abort();
    for (;;) {
        struct error now = { 0 };

        if (await_turn(loop, thread, &now)) {
            if (!take_turn(thread))
                break;
            continue;
        }
        if (!why.kind)
            why = now;
        interrupted = interrupted || loop_interrupted(loop);
        loop_clear_interruption(loop);
        cancel(thread);
    }
    uv_thread_join(&thread->id);
    cancelled = library_thread_cancelled(thread);
    library_thread_free(thread);
    if (interrupted)
        loop_interrupt(loop, &why);
    if (cancelled && err)
        *err = why;
    return !cancelled;
}

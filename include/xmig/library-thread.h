/* A thread for a library that blocks for minutes and calls back.
 *
 * The thread and the loop's thread take turns: what the library calls back runs on the
 * loop's thread as sequential code, which may wait, while the library stands still. So
 * nothing but the library's own work is ever concurrent with the rest of the program.
 */
#ifndef XMIG_LIBRARY_THREAD_H
#define XMIG_LIBRARY_THREAD_H

#include "xmig/loop.h"

struct library_thread;

struct library_work {
    /* The library's call, on the thread. */
    void (*run)(struct library_thread *thread, void *arg);
    /* On the loop's thread, once: see to it that run() ends soon. */
    void (*cancel)(void *arg);
    /* On the loop's thread, as sequential code, every `look_ms` while run() works; false:
     * cancel. NULL: nothing to look at.
     */
    bool (*look)(void *arg, struct error *err);
    uint64_t look_ms;
    void *arg;
};

/**
 * Run `work` and wait until it has ended, however long that takes: run() works with our
 * memory, and cannot be left alone.
 *
 * @return false when it was cancelled: the interruption, which stays, or look()'s error
 */
bool library_thread_run(struct loop *loop, const struct library_work *work, struct error *err);

/* On the thread: have `function(arg)` run on the loop's thread, and wait for its end. */
void library_thread_call(struct library_thread *thread, void (*function)(void *arg), void *arg);

/* On either thread: has it been cancelled? Then there is nothing to wait for any more. */
bool library_thread_cancelled(struct library_thread *thread);

#endif

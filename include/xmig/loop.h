/* One libuv loop, pumped by sequential code: "wait until" is a plain call.
 *
 * Callbacks move bytes and set flags, and never wait themselves: libuv forbids
 * a nested uv_run(), and loop_wait() aborts the program when it happens.
 */
#ifndef XMIG_LOOP_H
#define XMIG_LOOP_H

#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#include "xmig/error.h"

struct loop;

/* Only where another limit ends the wait; the caller's comment says which. */
#define LOOP_NO_DEADLINE UINT64_MAX

struct loop *loop_new(void);

/* Closes what is still open in the loop and frees it. NULL is fine. */
void loop_free(struct loop *loop);

uv_loop_t *loop_uv(struct loop *loop);

/**
 * Run the loop until `ready(arg)` holds.
 *
 * A condition that already holds beats an interruption and a deadline, so that
 * a peer's last words are never overtaken by the loss of its connection.
 *
 * @param timeout_ms  must not be 0: every wait ends
 * @return false with ERROR_TIMEOUT, or with the interruption
 */
bool loop_wait(struct loop *loop, bool (*ready)(void *arg), void *arg, uint64_t timeout_ms,
               struct error *err);

/* The same also when the loop has been interrupted; the interruption stays. */
bool loop_wait_anyway(struct loop *loop, bool (*ready)(void *arg), void *arg, uint64_t timeout_ms);

/* Let `delay_ms` pass, doing what comes in. False: interrupted. */
bool loop_pause(struct loop *loop, uint64_t delay_ms, struct error *err);

/* Make every wait fail with `why` from now on. The first interruption stays. */
void loop_interrupt(struct loop *loop, const struct error *why);
bool loop_interrupted(const struct loop *loop);
void loop_clear_interruption(struct loop *loop);

/* Milliseconds of CLOCK_BOOTTIME: they go on while the machine is suspended. */
uint64_t loop_now_ms(void);

/* A child process. It is reaped by the loop. */
struct child;

/**
 * Start `argv[0]` (looked up in PATH) with `in`, `out` and `errors` as its
 * standard descriptors (borrowed; -1: /dev/null), in a session of its own, so
 * that neither Ctrl-C nor a hang-up of the terminal reaches it.
 */
struct child *child_start(struct loop *loop, const char *const argv[], int in, int out, int errors,
                          struct error *err);

/* The same in our own session and group: it can ask questions at our terminal, and
 * Ctrl-C there reaches it too.
 */
struct child *child_start_foreground(struct loop *loop, const char *const argv[], int in, int out,
                                     int errors, struct error *err);

/* `ended(arg)` runs on the loop when it has ended, and may free it. */
void child_on_end(struct child *child, void (*ended)(void *arg), void *arg);

pid_t child_pid(const struct child *child);

/* True once it has ended; `status` is its exit status, or 128 + its signal. */
bool child_ended(const struct child *child, int *status);

/* Wait for its end. */
bool child_wait(struct child *child, uint64_t timeout_ms, int *status, struct error *err);

/* SIGKILL it if it still runs, and forget it. NULL is fine. */
void child_free(struct child *child);

/* Forget a child that shall outlive us: it is not killed. NULL is fine. */
void child_release(struct child *child);

/* A unix socket that listens. */
struct listener;

/**
 * Listen at `path` (created, mode 0600; a leftover of a dead process is
 * replaced, a living one's is refused). `accepted(arg, fd)` is called on the
 * loop for every connection and owns `fd`, which is non-blocking.
 */
struct listener *listener_new(struct loop *loop, const char *path,
                              void (*accepted)(void *arg, int fd), void *arg, struct error *err);

/* Stop listening and remove the socket. NULL is fine. */
void listener_free(struct listener *listener);

/* Connect to the unix socket at `path`. Returns a blocking descriptor the caller
 * closes, or -1 with `err` set.
 */
int connect_unix(const char *path, struct error *err);

#endif

/* The QEMU machine protocol, as a client.
 *
 * One connection, one call at a time, written as plain sequential code. QEMU's
 * events are kept as they come in; a wait for one starts from a mark taken before the
 * command that causes it, so an early event is never missed.
 *
 * QEMU tells events only to who is connected, and floods can push old ones out of the
 * queue: what must not be missed is asked for (query-block-jobs), not remembered.
 */
#ifndef XMIG_QMP_H
#define XMIG_QMP_H

#include "xmig/json.h"
#include "xmig/loop.h"

struct qmp;

enum {
    QMP_CONNECT_MS = 5000,   /* a QEMU that runs answers sooner */
    QMP_DEADLINE_MS = 30000, /* a command that takes longer says so: qmp_call_within() */
};

/**
 * Connect to the QMP server at the unix socket `path`, and enable out-of-band
 * commands if it offers them.
 *
 * QEMU talks to one client at a time. That the socket is taken shows only in its
 * silence: ERROR_TIMEOUT, in words that say so.
 */
struct qmp *qmp_connect(struct loop *loop, const char *path, uint64_t timeout_ms,
                        struct error *err);

/* Disconnects; QEMU does not mind. NULL is fine. */
void qmp_free(struct qmp *q);

struct loop *qmp_loop(const struct qmp *q);

/* The process that listens at the socket: QEMU, for it made the socket. 0: it is not
 * visible from here (another pid namespace).
 */
pid_t qmp_peer_pid(const struct qmp *q);

/* Is this QEMU, or a later one? */
bool qmp_is_at_least(const struct qmp *q, unsigned major, unsigned minor);
void qmp_version(const struct qmp *q, unsigned *major, unsigned *minor, unsigned *micro);

/* From now on, whether the loss of QEMU interrupts the loop. Off at first. */
void qmp_guard(struct qmp *q, bool on);

/* From now on, whether a guest that somebody lets run is stopped at once: from the event, whatever
 * we do meanwhile. Off at first.
 */
void qmp_hold(struct qmp *q, bool on);

/* How many events have told that the guest has begun to run, has stopped, ended or was reset. None
 * is missed while the connection lasts, however many others come.
 */
size_t qmp_run_events(const struct qmp *q);

/* Has such an event come since `mark`? Does not wait. And the first that matches, or NULL. */
bool qmp_has_told(const struct qmp *q, size_t mark, const char *name);
const cJSON *qmp_find_event(const struct qmp *q, size_t *mark, const char *name,
                            bool (*match)(const cJSON *data, const void *arg), const void *arg);

/* Has the connection ended? `err` (may be NULL) says why. */
bool qmp_lost(const struct qmp *q, struct error *err);

/**
 * Execute `command` and wait for its end.
 *
 * Its reply is still thrown away correctly when it comes after the deadline; QEMU has
 * then done, or will do, what it was told.
 *
 * @param arguments  taken; NULL: none
 * @param result  the caller frees it; NULL: not wanted
 * @return false: ERROR_SYSTEM with QEMU's own words when it said no, ERROR_LOST when it
 *         is gone, ERROR_PROTOCOL when it talks nonsense, ERROR_TIMEOUT, the interruption
 */
bool qmp_call(struct qmp *q, const char *command, cJSON *arguments, cJSON **result,
              struct error *err);
bool qmp_call_within(struct qmp *q, const char *command, cJSON *arguments, cJSON **result,
                     uint64_t timeout_ms, struct error *err);

/* The same past the queue of ordinary commands: QEMU answers it even while its main loop
 * is stuck. Only a few commands can (yank, migrate-pause). ERROR_REFUSED: QEMU is too old.
 */
bool qmp_exec_oob(struct qmp *q, const char *command, cJSON *arguments, cJSON **result,
                  uint64_t timeout_ms, struct error *err);

/* Where the events that come from now on begin. */
size_t qmp_mark(const struct qmp *q);

/**
 * Wait for the first event called `name` at or after `*mark` for which
 * `match(data, arg)` holds (NULL: any), and move `*mark` past it.
 *
 * @param timeout_ms  must not be 0: every wait ends
 * @return the event's "data" (an empty object if it has none), owned by `q` until the
 *         next wait or call; NULL with `err` set: ERROR_TIMEOUT, ERROR_LOST if QEMU is
 *         gone, or the interruption
 */
const cJSON *qmp_wait_event(struct qmp *q, size_t *mark, const char *name,
                            bool (*match)(const cJSON *data, const void *arg), const void *arg,
                            uint64_t timeout_ms, struct error *err);

/* When the newest event called `name` came in (loop_now_ms()); 0: none did lately. */
uint64_t qmp_last_event_ms(const struct qmp *q, const char *name);

#endif

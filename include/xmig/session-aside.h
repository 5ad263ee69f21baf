/* What a session carries aside, for people: nobody waits for it, and the move does not depend on
 * it. */
#ifndef XMIG_SESSION_ASIDE_H
#define XMIG_SESSION_ASIDE_H

#include "xmig/json.h"

/* The peer's CLOCK_BOOTTIME shows there_us when ours shows here_us, give or take half a trip. */
struct session_clock {
    uint64_t here_us, there_us, round_trip_us;
};

/* For people who want to see both sides on one clock. Any of the functions may be NULL. */
struct session_history {
    /* This side's lines, which are told with the goodbye; the session frees them. NULL: none. */
    char *(*tell)(void *arg);
    /* The peer's, once; and what the clocks show. Called from callbacks: must not wait. */
    void (*hear)(void *arg, const char *lines);
    void (*compare)(void *arg, const struct session_clock *clock);
    /* At the target: what its lanes have carried in the end, as in session_lanes. */
    void (*carried)(void *arg, const cJSON *progress);
    void *arg;
    /* How far each disk and RAM is: an array of what docs/wire-protocol.md has under `progress`.
     * The source tells it with a ping; the session frees it. The target hears it, and the source
     * hears what the target's lanes have carried.
     */
    cJSON *(*tell_progress)(void *report);
    void (*hear_progress)(void *report, const cJSON *transfers);
    void *report;
};

/* At the target, what its lanes do. Called from callbacks. */
struct session_lanes {
    cJSON *(*carried)(void *arg); /* the progress that is told; the session frees it */
    void (*limit)(void *arg, uint64_t bytes_per_s);
    void *arg;
};

#endif

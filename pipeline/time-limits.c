/* The limits of a move. Both end with COMMIT: what is under way then is quicker than any way
 * back, and the guest is not ours to let run.
 */
#include "time-limits.h"

#include <inttypes.h>

#include "xmig/cleanup.h"
#include "xmig/units.h"

enum {
    LOOK_MS = 50,
    SLACK_MS = 10000,    /* the default --max-pause, besides what --max-downtime allows */
    LONG_PAUSE_MS = 2000 /* beyond --max-downtime: worth a warning */
};

struct limits {
    uv_timer_t deadline;
    uv_timer_t pause;
    struct migration *m;
    int open_timers;
};

static void interrupt(struct migration *m, const struct error *why)
{
    if (m->verdict == VERDICT_SOURCE)
        loop_interrupt(m->loop, why);
}

/* ---- --deadline ---- */

static void on_deadline(uv_timer_t *timer)
{
    struct limits *limits = timer->data;
    char limit[UNITS_TEXT_MAX];
    struct error why = { 0 };

    error_set(&why, ERROR_LIMIT, "the move was not over within its --deadline of %s",
              print_time(limit, limits->m->options->deadline_ms));
    interrupt(limits->m, &why);
}

/* ---- --max-pause ---- */

static bool is_default(const struct migration *m)
{
    return m->options->max_pause_ms == MAX_PAUSE_DEFAULT;
}

uint64_t limits_longest_pause(const struct migration *m)
{
    return is_default(m) ? SLACK_MS + m->options->vm.max_downtime_ms : m->options->max_pause_ms;
}

/* By default the RAM that --ram sends with the guest paused does not count: nobody knows its
 * size before.
 */
static uint64_t paused_for(const struct migration *m)
{
    return m->guest ? guest_paused_for(m->guest, !is_default(m)) : 0;
}

static void on_look(uv_timer_t *timer)
{
    struct limits *limits = timer->data;
    struct migration *m = limits->m;
    uint64_t longest_ms = limits_longest_pause(m);
    char limit[UNITS_TEXT_MAX];
    struct error why = { 0 };

    if (paused_for(m) <= longest_ms)
        return;
    error_set(&why, ERROR_LIMIT,
              "the VM has been paused for longer than --max-pause permits (%s): the target, a disk "
              "or the network is too slow at the switch. Try again when it is faster, or with a "
              "longer --max-pause",
              print_time(limit, longest_ms));
    interrupt(m, &why);
}

void limits_tell_pause(struct migration *m)
{
    uint64_t pause_ms = m->running_ms - m->paused_ms;
    uint64_t allowed_ms = m->options->vm.max_downtime_ms;

    if (!m->paused_ms || !m->running_ms || pause_ms <= allowed_ms + LONG_PAUSE_MS)
        return;
    event_say(&m->events, EVENT_WARNING, NULL,
              "the VM was paused for %" PRIu64 ".%" PRIu64 " s, and --max-downtime is %" PRIu64
              " ms; 'xmig send --verbose' tells what took so long",
              pause_ms / 1000, pause_ms % 1000 / 100, allowed_ms);
}

/* ---- both ---- */

static struct limits *start_timers(struct migration *m)
{
    struct limits *limits = must(calloc(1, sizeof(*limits)));

    limits->m = m;
    limits->open_timers = 2;
    limits->deadline.data = limits->pause.data = limits;
    uv_timer_init(loop_uv(m->loop), &limits->deadline);
    uv_timer_init(loop_uv(m->loop), &limits->pause);
    return limits;
}

struct limits *limits_start(struct migration *m)
{
    struct limits *limits = start_timers(m);

    if (m->side == SIDE_SEND && m->options->deadline_ms)
        uv_timer_start(&limits->deadline, on_deadline, m->options->deadline_ms, 0);
    if (m->side == SIDE_SEND && limits_longest_pause(m))
        uv_timer_start(&limits->pause, on_look, LOOK_MS, LOOK_MS);
    return limits;
}

static void on_closed(uv_handle_t *handle)
{
    struct limits *limits = handle->data;

    if (--limits->open_timers == 0)
        free(limits);
}

void limits_end(struct limits *limits)
{
    uv_close((uv_handle_t *)&limits->deadline, on_closed);
    uv_close((uv_handle_t *)&limits->pause, on_closed);
}

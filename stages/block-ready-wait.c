/* Waits until every disk's mirror has caught up, so that RAM is streamed only
 * when the disks can follow. Starts nothing, so there is nothing to undo: the
 * jobs belong to drive-mirror.
 *
 * A hypervisor calls a mirror ready when nothing is left to copy and nothing is under way, which on
 * a long link is luck: each write is under way for a round trip. What stays so little that it fits
 * the pause is copied in the pause.
 *
 * A disk may take hours; what ends the wait is a mirror that stands still. Before it copies it may
 * make the target zero, and look through its disk for what there is to copy. The latter has no
 * number that moves, and gets more time.
 */
#include "stages.h"

#include <stdio.h>

#include "disks.h"
#include "xmig/cleanup.h"
#include "xmig/units.h"

enum {
    LOOKING_TAKES = 10, /* times as long as may pass without progress */
    LITTLE_FOR_MS = 1000,
    LITTLE_BYTES = 2 * 1024 * 1024, /* a tenth of a second at 160 Mbit/s */
};

struct watch {
    uint64_t begun_ms;
    uint64_t moved;        /* the sum over all disks at the last progress */
    uint64_t moved_ms;     /* when it last changed */
    uint64_t little_ms;    /* since when little is left; 0: much is */
    uint64_t little_moved; /* `moved` at that time */
    struct {
        uint64_t left;            /* the least there was */
        uint64_t done, total, ms; /* at that time */
        bool told;
    } race; /* between the guest's writes and the mirrors */
};

/* All mirrors together. */
struct sum {
    bool ready;
    bool looking;   /* at least one has not found out yet how much there is to do */
    uint64_t moved; /* what makes the target zero counts, too */
    uint64_t done, total;
};

static void tell(struct migration *m, const char *disk, const struct mirror_state *mirror)
{
    char subject[128];

    snprintf(subject, sizeof(subject), "disk/%s", disk);
    event_emit(&m->events, (struct event){ .kind = EVENT_PROGRESS,
                                           .stage = m->at,
                                           .subject = subject,
                                           .done = mirror->done,
                                           .total = mirror->total });
}

/* Asks rather than remembers: a job that failed before we looked has no event
 * left to wait for.
 */
static bool ask_all(struct migration *m, struct sum *sum, struct error *err)
{
    *sum = (struct sum){ .ready = true };
    for (size_t i = 0; i < disk_count(m); i++) {
        struct mirror_state mirror = { 0 };

        if (!guest_mirror_state(m->guest, disk_name(m, i), &mirror, err))
            return error_prefix(err, "%s", disk_name(m, i));
        if (mirror.total > 0)
            tell(m, disk_name(m, i), &mirror);
        sum->moved += mirror.done + mirror.zeroed;
        sum->done += mirror.done;
        sum->total += mirror.total;
        sum->ready = sum->ready && mirror.ready;
        sum->looking = sum->looking || (mirror.total == 0 && !mirror.ready);
    }
    return true;
}

static bool check_moves(struct migration *m, struct watch *watch, const struct sum *sum,
                        struct error *err)
{
    uint64_t now_ms = loop_now_ms();
    uint64_t patience_ms = m->options->stall_ms * (sum->looking ? LOOKING_TAKES : 1);

    if (sum->moved != watch->moved || watch->moved_ms == 0) {
        watch->moved = sum->moved;
        watch->moved_ms = now_ms;
    }
    return now_ms - watch->moved_ms <= patience_ms ||
           error_set(err, ERROR_TIMEOUT, "the mirrors have made no progress for %llu s",
                     (unsigned long long)patience_ms / 1000);
}

static uint64_t per_second(uint64_t bytes, uint64_t ms)
{
    return ms ? bytes * 1000 / ms : 0;
}

/* When what is left has not become less for half of what counts as a stall, the guest is too fast:
 * said once, with the rate that it would take.
 */
static void watch_race(struct migration *m, struct watch *watch, const struct sum *sum)
{
    uint64_t left = sum->total > sum->done ? sum->total - sum->done : 0;
    uint64_t ms = loop_now_ms() - watch->race.ms;
    char needed[UNITS_TEXT_MAX], copied[UNITS_TEXT_MAX];

    if (sum->looking || !watch->race.ms || left < watch->race.left) {
        watch->race.left = left;
        watch->race.done = sum->done;
        watch->race.total = sum->total;
        watch->race.ms = loop_now_ms();
        return;
    }
    if (watch->race.told || ms < m->options->stall_ms / 2)
        return;
    watch->race.told = true;
    event_say(&m->events, EVENT_WARNING, m->at,
              "the VM writes %s/s to its disks, and %s/s of them are copied: this ends only when "
              "the VM writes less, or the link, or --bwlimit, permits clearly more than %s/s",
              print_size(needed, per_second(sum->total - watch->race.total, ms)),
              print_size(copied, per_second(sum->done - watch->race.done, ms)), needed);
}

/* So little that it would be copied, at the speed there was on average, within the downtime asked
 * for. The average has in it what a sparse disk did not need to send, hence the second bound.
 */
static bool is_little(struct migration *m, const struct watch *watch, const struct sum *sum)
{
    uint64_t left = sum->total > sum->done ? sum->total - sum->done : 0;
    uint64_t ms = loop_now_ms() - watch->begun_ms;

    return !sum->looking && left <= LITTLE_BYTES &&
           left <= per_second(sum->done, ms) * m->options->vm.max_downtime_ms / 1000;
}

/* A mirror that hangs has little left, too: something must be copied meanwhile. */
static bool stays_little(struct migration *m, struct watch *watch, const struct sum *sum)
{
    if (!is_little(m, watch, sum)) {
        watch->little_ms = 0;
    } else if (!watch->little_ms) {
        watch->little_ms = loop_now_ms();
        watch->little_moved = sum->moved;
    }
    return watch->little_ms && sum->moved != watch->little_moved &&
           loop_now_ms() - watch->little_ms >= LITTLE_FOR_MS;
}

static bool wait_a_while(struct migration *m, struct error *err)
{
    return guest_mirror_wait(m->guest, m->options->poll_ms, err);
}

static bool wait_for_mirrors(struct migration *m, void *state, struct error *err)
{
    struct watch watch = { .begun_ms = loop_now_ms() };
    struct sum sum;

    (void)state;
    for (;;) {
        if (!ask_all(m, &sum, err))
            return false;
        if (sum.ready || stays_little(m, &watch, &sum))
            return true;
        watch_race(m, &watch, &sum);
        if (!check_moves(m, &watch, &sum, err) || !wait_a_while(m, err))
            return false;
    }
}

static void plan(struct migration *m, void *state, struct plan *out)
{
    (void)state;
    plan_say(out,
             "wait until all mirrors have caught up, or stay so little behind that the pause can "
             "take it; give up after %llu s without progress",
             (unsigned long long)m->options->stall_ms / 1000);
}

const struct stage block_ready_wait = {
    .name = "block-ready-wait",
    .summary = "wait until every disk mirror has caught up",
    .send_summary =
        "wait for every mirror to be ready, or all but; report bytes, rate and time left",
    .after = (const char *const[]){ "drive-mirror", NULL },
    .optional = true,
    .send = { .plan = plan, .run = wait_for_mirrors },
};

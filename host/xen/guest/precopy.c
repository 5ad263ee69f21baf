/* The guest is paused when what is left, of RAM and of the disks, can be sent within the
 * downtime that was asked for.
 */
#include "host/xen/guest/precopy.h"

#include <math.h>

enum {
    NOTHING_BYTES = 64 * 4096, /* so little takes no time that could be told in advance */
    VAIN_PASSES = 5,           /* some passes are short: only time tells, too */
    STALLED_MS = 10000,
    HOPELESS_MS = 300000
};

void precopy_pass_begins(struct precopy *precopy, uint64_t now_ms)
{
    precopy->began_ms = now_ms;
}

/* A short pass tells of its fixed costs, not of the rate: the fastest one counts. The first one
 * tells nothing of how well the pages can be compressed that the guest goes on writing to.
 */
void precopy_pass_ends(struct precopy *precopy, uint64_t ram, uint64_t sent, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms > precopy->began_ms ? now_ms - precopy->began_ms : 1;

    precopy->share = precopy->rate > 0 && sent < ram ? (double)sent / (double)ram : 1;
    precopy->rate = fmax(precopy->rate, (double)sent / (double)elapsed_ms);
    precopy->pace = fmax(precopy->pace, (double)ram / (double)elapsed_ms);
}

/* Either the lane is what takes the time, or what comes before it. */
static uint64_t expect_ms(struct precopy *precopy, uint64_t ram, uint64_t disks)
{
    double left = (double)ram * precopy->share + (double)disks;

    precopy->left = (uint64_t)left;
    if (precopy->rate <= 0)
        return 0;
    return (uint64_t)fmax(left / precopy->rate, (double)ram / precopy->pace);
}

/* Less by a tenth is progress. */
static bool becomes_less(struct precopy *precopy, uint64_t left, uint64_t now_ms)
{
    if (precopy->least && left > precopy->least - precopy->least / 10) {
        precopy->vain++;
        return false;
    }
    precopy->least = left;
    precopy->least_ms = now_ms;
    precopy->vain = 0;
    precopy->told = false;
    return true;
}

enum precopy_verdict precopy_decide(struct precopy *precopy, uint64_t ram, uint64_t disks,
                                    bool disks_ready, uint64_t now_ms)
{
    uint64_t some_ram = ram > NOTHING_BYTES ? ram : 0;
    uint64_t left = some_ram + disks;
    enum precopy_verdict onwards = ram > NOTHING_BYTES ? PRECOPY_GO_ON : PRECOPY_WAIT;
    uint64_t vain_ms;

    precopy->expected_ms = expect_ms(precopy, some_ram, disks);
    if (left == 0 || (precopy->rate > 0 && precopy->expected_ms <= precopy->max_downtime_ms))
        return disks_ready ? PRECOPY_PAUSE : PRECOPY_WAIT;
    if (becomes_less(precopy, left, now_ms) || precopy->vain < VAIN_PASSES)
        return onwards;
    vain_ms = now_ms - precopy->least_ms;
    if (vain_ms >= HOPELESS_MS && !precopy->has_deadline)
        return PRECOPY_HOPELESS;
    if (vain_ms < STALLED_MS || precopy->told)
        return onwards;
    precopy->told = true;
    return PRECOPY_STALLED;
}

uint64_t precopy_needed_rate(const struct precopy *precopy)
{
    return precopy->max_downtime_ms ? precopy->left * 1000 / precopy->max_downtime_ms : 0;
}

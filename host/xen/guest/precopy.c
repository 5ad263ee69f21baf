/* Pause the guest when the rest of RAM and disks can be sent within the downtime that was asked
 * for.
 */
#include "host/xen/guest/precopy.h"

#include <math.h>

enum {
    NOTHING_BYTES = 64 * 4096, /* too little to predict its time */
    VAIN_PASSES =
        5, /* passes without progress; STALLED_MS must pass, too, for passes can be short */
    STALLED_MS = 10000,
    HOPELESS_MS = 300000
};

void precopy_pass_begins(struct precopy *precopy, uint64_t now_ms)
{
    precopy->began_ms = now_ms;
}

/* A short pass measures its fixed costs, not the rate, so the fastest pass counts. The first pass
 * does not show how well the pages compress that the guest keeps writing to.
 */
void precopy_pass_ends(struct precopy *precopy, uint64_t ram, uint64_t sent, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms > precopy->began_ms ? now_ms - precopy->began_ms : 1;

    precopy->share = precopy->rate > 0 && sent < ram ? (double)sent / (double)ram : 1;
    precopy->rate = fmax(precopy->rate, (double)sent / (double)elapsed_ms);
    precopy->pace = fmax(precopy->pace, (double)ram / (double)elapsed_ms);
}

/* The slower of the two counts: the lane, or reading and compressing RAM. */
static uint64_t expect_ms(struct precopy *precopy, uint64_t ram, uint64_t disks)
{
    double left = (double)ram * precopy->share + (double)disks;

    precopy->left = (uint64_t)left;
    if (precopy->rate <= 0)
        return 0;
    return (uint64_t)fmax(left / precopy->rate, (double)ram / precopy->pace);
}

/* Progress is a tenth less than the least so far. */
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
                                    uint64_t now_ms)
{
    uint64_t some_ram = ram > NOTHING_BYTES ? ram : 0;
    uint64_t left = some_ram + disks;
    enum precopy_verdict onwards = ram > NOTHING_BYTES ? PRECOPY_GO_ON : PRECOPY_WAIT;
    uint64_t vain_ms;

    precopy->expected_ms = expect_ms(precopy, some_ram, disks);
    if (left == 0 || (precopy->rate > 0 && precopy->expected_ms <= precopy->max_downtime_ms))
        return PRECOPY_PAUSE;
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

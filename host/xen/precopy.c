/* The guest is paused when what is left, of RAM and of the disks, can be sent within the
 * downtime that was asked for.
 */
#include "host/xen/precopy.h"

enum {
    NOTHING_BYTES = 64 * 4096, /* so little takes no time that could be told in advance */
    VAIN_PASSES_STALLED = 5,
    VAIN_PASSES_HOPELESS = 40
};

void precopy_pass_begins(struct precopy *precopy, uint64_t bytes, uint64_t now_ms)
{
    precopy->bytes = bytes;
    precopy->began_ms = now_ms;
}

/* A short pass tells of its fixed costs, not of the rate: the fastest one counts. */
void precopy_pass_ends(struct precopy *precopy, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms > precopy->began_ms ? now_ms - precopy->began_ms : 1;
    double rate = (double)precopy->bytes / (double)elapsed_ms;

    if (rate > precopy->rate)
        precopy->rate = rate;
}

/* Less by a tenth is progress. */
static bool becomes_less(struct precopy *precopy, uint64_t left)
{
    if (precopy->least && left > precopy->least - precopy->least / 10) {
        precopy->vain++;
        return false;
    }
    precopy->least = left;
    precopy->vain = 0;
    return true;
}

enum precopy_verdict precopy_decide(struct precopy *precopy, uint64_t ram, uint64_t disks,
                                    bool disks_ready)
{
    uint64_t left = (ram > NOTHING_BYTES ? ram : 0) + disks;
    double expected_ms = precopy->rate > 0 ? (double)left / precopy->rate : 0;

    precopy->left = left;
    precopy->expected_ms = (uint64_t)expected_ms;
    if (left == 0 || (precopy->rate > 0 && precopy->expected_ms <= precopy->max_downtime_ms))
        return disks_ready ? PRECOPY_PAUSE : PRECOPY_WAIT;
    if (becomes_less(precopy, left) || precopy->vain < VAIN_PASSES_STALLED)
        return ram > NOTHING_BYTES ? PRECOPY_GO_ON : PRECOPY_WAIT;
    if (precopy->vain >= VAIN_PASSES_HOPELESS && !precopy->has_deadline)
        return PRECOPY_HOPELESS;
    if (precopy->vain == VAIN_PASSES_STALLED)
        return PRECOPY_STALLED;
    return ram > NOTHING_BYTES ? PRECOPY_GO_ON : PRECOPY_WAIT;
}

uint64_t precopy_needed_rate(const struct precopy *precopy)
{
    return precopy->max_downtime_ms ? precopy->left * 1000 / precopy->max_downtime_ms : 0;
}

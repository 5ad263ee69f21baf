/* Rates: over a window of some seconds, so that a number can be read before it changes. */
#include "transfers.h"

#include <inttypes.h>
#include <stdio.h>

#include "xmig/units.h"
#include "xmig/cleanup.h"

enum {
    SAMPLE_MS = 1000
};

static struct transfer *known(struct transfers *transfers, const char *subject)
{
    for (size_t i = 0; i < transfers->count; i++)
        if (!strcmp(transfers->list[i].subject, subject))
            return &transfers->list[i];
    return NULL;
}

static struct transfer *find(struct transfers *transfers, const char *subject)
{
    struct transfer *transfer = known(transfers, subject);

    if (transfer || transfers->count == TRANSFERS_MAX)
        return transfer;
    transfer = &transfers->list[transfers->count++];
    snprintf(transfer->subject, sizeof(transfer->subject), "%s", subject);
    return transfer;
}

static size_t oldest(const struct transfer *transfer)
{
    return transfer->sample_count > TRANSFER_SAMPLES ? transfer->sample_count % TRANSFER_SAMPLES
                                                     : 0;
}

static uint64_t left_of(const struct transfer *transfer)
{
    return transfer->total > transfer->done ? transfer->total - transfer->done : 0;
}

static void sample(struct transfer *transfer, uint64_t now_ms)
{
    size_t newest = (transfer->sample_count + TRANSFER_SAMPLES - 1) % TRANSFER_SAMPLES;

    if (transfer->sample_count && now_ms - transfer->samples[newest].ms < SAMPLE_MS)
        return;
    transfer->samples[transfer->sample_count % TRANSFER_SAMPLES].ms = now_ms;
    transfer->samples[transfer->sample_count % TRANSFER_SAMPLES].done = transfer->done;
    transfer->samples[transfer->sample_count % TRANSFER_SAMPLES].left = left_of(transfer);
    transfer->sample_count++;
}

/* Another pass over RAM may begin to count anew. */
static uint64_t rate_since_oldest(const struct transfer *transfer, uint64_t now_ms)
{
    uint64_t ms = transfer->samples[oldest(transfer)].ms;
    uint64_t done = transfer->samples[oldest(transfer)].done;

    if (now_ms - ms < SAMPLE_MS || transfer->done < done)
        return transfer->rate;
    return (transfer->done - done) * 1000 / (now_ms - ms);
}

static uint64_t pace_since_oldest(const struct transfer *transfer, uint64_t now_ms)
{
    uint64_t ms = transfer->samples[oldest(transfer)].ms;
    uint64_t left = transfer->samples[oldest(transfer)].left;

    if (now_ms - ms < SAMPLE_MS)
        return transfer->pace;
    return left > left_of(transfer) ? (left - left_of(transfer)) * 1000 / (now_ms - ms) : 0;
}

/* A hypervisor that counts nonsense shall not stop a migration that works. */
static uint64_t bounded(uint64_t bytes)
{
    const uint64_t most = UINT64_C(1) << 53; /* JSON's */

    return bytes < most ? bytes : most;
}

/* The hypervisor's count is newer, the target's the last. */
static void note_sent(struct transfer *transfer, uint64_t sent)
{
    if (bounded(sent) > transfer->sent)
        transfer->sent = bounded(sent);
}

void transfers_note_sent(struct transfers *transfers, const char *subject, uint64_t sent)
{
    struct transfer *transfer = known(transfers, subject);

    if (transfer)
        note_sent(transfer, sent);
}

void transfer_set_left(struct transfer *transfer, uint64_t left_ms)
{
    transfer->pace = left_ms ? (uint64_t)((double)left_of(transfer) * 1000 / (double)left_ms) : 0;
}

struct transfer *transfers_update(struct transfers *transfers, const struct event *event,
                                  uint64_t now_ms)
{
    struct transfer *transfer = find(transfers, event->subject ? event->subject : "all");

    if (!transfer)
        return NULL;
    transfer->grew = transfer->done != event->done || transfer->total != event->total;
    transfer->done = bounded(event->done);
    transfer->total = bounded(event->total);
    note_sent(transfer, event->sent);
    transfer->dirty_rate = bounded(event->dirty_rate);
    sample(transfer, now_ms);
    transfer->rate = rate_since_oldest(transfer, now_ms);
    transfer->pace = pace_since_oldest(transfer, now_ms);
    return transfer;
}

void transfers_add_up(const struct transfers *transfers, uint64_t ram, struct transfer *all,
                      uint64_t now_ms)
{
    snprintf(all->subject, sizeof(all->subject), "all");
    all->done = all->total = 0;
    for (size_t i = 0; i < transfers->count; i++) {
        all->done += transfers->list[i].done;
        all->total += transfers->list[i].total;
        if (!strcmp(transfers->list[i].subject, "ram"))
            ram = 0;
    }
    all->total += ram;
    sample(all, now_ms);
    all->rate = rate_since_oldest(all, now_ms);
    all->pace = pace_since_oldest(all, now_ms);
}

uint64_t transfer_left_ms(const struct transfer *transfer)
{
    if (!transfer->pace)
        return 0;
    return (uint64_t)((double)left_of(transfer) * 1000 / (double)transfer->pace);
}

static unsigned percent(const struct transfer *transfer)
{
    return transfer->done >= transfer->total
               ? 100
               : (unsigned)((double)transfer->done * 100 / (double)transfer->total);
}

char *transfer_text(const struct transfer *transfer)
{
    char done[UNITS_TEXT_MAX], total[UNITS_TEXT_MAX], rate[UNITS_TEXT_MAX], left[UNITS_TEXT_MAX];
    uint64_t left_ms = transfer_left_ms(transfer);
    char *text = NULL;
    size_t size;
    FILE *out = must(open_memstream(&text, &size));

    fprintf(out, "%s", print_size(done, transfer->done));
    if (transfer->total)
        fprintf(out, " of %s, %u%%", print_size(total, transfer->total), percent(transfer));
    if (transfer->rate)
        fprintf(out, ", %s/s", print_size(rate, transfer->rate));
    if (left_ms)
        fprintf(out, ", %s left", print_time(left, left_ms));
    if (fclose(out))
        abort();
    return text;
}

uint64_t transfers_sum(const struct transfers *transfers)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < transfers->count; i++)
        sum += transfers->list[i].done;
    return sum;
}

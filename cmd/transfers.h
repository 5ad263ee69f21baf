/* How much of each disk and of RAM has moved, how fast, and how long the rest takes. */
#ifndef XMIG_CMD_TRANSFERS_H
#define XMIG_CMD_TRANSFERS_H

#include <stddef.h>

#include "xmig/event.h"

enum {
    TRANSFERS_MAX = 64,
    TRANSFER_SAMPLES = 8
};

struct transfer {
    char subject[64];
    uint64_t done;             /* bytes */
    uint64_t total;            /* bytes; 0: not known */
    uint64_t rate;             /* bytes a second, over the last few seconds; 0: not known yet */
    uint64_t pace;             /* the same of what is left, which grows while the guest writes */
    uint64_t sent, dirty_rate; /* as in struct event; sent: or as the target has counted */
    bool grew;                 /* did the last event tell something new? */
    struct {
        uint64_t ms, done, left;
    } samples[TRANSFER_SAMPLES]; /* about one a second; a ring */
    size_t sample_count;
};

struct transfers {
    struct transfer list[TRANSFERS_MAX];
    size_t count;
};

/* Take in an EVENT_PROGRESS. NULL when there are more subjects than anybody reads. */
struct transfer *transfers_update(struct transfers *transfers, const struct event *event,
                                  uint64_t now_ms);

/* The target has counted so many bytes that came for `subject`, which may have no transfer. */
void transfers_note_sent(struct transfers *transfers, const char *subject, uint64_t sent);

/* The rest takes so long, by what somebody else has measured; 0: that is not known. */
void transfer_set_left(struct transfer *transfer, uint64_t left_ms);

/* `all`, zeroed at first, becomes the sum of them, and of `ram` bytes while RAM is not among them.
 */
void transfers_add_up(const struct transfers *transfers, uint64_t ram, struct transfer *all,
                      uint64_t now_ms);

/* Milliseconds until it is done, at the rate at which what is left becomes less; 0: that is not
 * known, or it does not become less, or nothing is left.
 */
uint64_t transfer_left_ms(const struct transfer *transfer);

/* "1.0 GiB of 4.0 GiB, 25%, 100.0 MiB/s, 30.0 s left". The caller frees it. */
char *transfer_text(const struct transfer *transfer);

/* All subjects' bytes. */
uint64_t transfers_sum(const struct transfers *transfers);

#endif

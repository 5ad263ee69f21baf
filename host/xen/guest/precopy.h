/* When is so little left to send that the guest can be paused for it? */
#ifndef XMIG_HOST_XEN_GUEST_PRECOPY_H
#define XMIG_HOST_XEN_GUEST_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>

enum precopy_verdict {
    PRECOPY_GO_ON,   /* another pass */
    PRECOPY_WAIT,    /* RAM is little enough, the disks are not: another pass after a while */
    PRECOPY_PAUSE,   /* pause the guest, send the rest */
    PRECOPY_STALLED, /* another pass, but the rest no longer shrinks; returned once for each
                        standstill */
    PRECOPY_HOPELESS /* the rest has not shrunk for so long that it never will */
};

struct precopy {
    uint64_t max_downtime_ms;
    uint64_t began_ms; /* when the present pass began */
    double rate;       /* bytes a millisecond in the lane, in the best pass so far; 0: not known */
    double pace;       /* bytes of RAM a millisecond, in the best pass so far */
    double share;      /* bytes in the lane for each byte of RAM, in the last pass */
    uint64_t least;    /* the least bytes of RAM and disks that were ever left */
    uint64_t least_ms; /* when that was */
    unsigned vain;     /* passes since then without progress */
    bool told;         /* PRECOPY_STALLED was returned for this standstill */
    uint64_t left;     /* bytes for the lane, at the last decision */
    uint64_t expected_ms; /* how long the pause would take, at the last decision */
    bool has_deadline;    /* --deadline decides when to give up, not PRECOPY_HOPELESS */
};

/* Call at the begin of each pass, and at its end with the bytes of RAM and what they were
 * compressed to.
 */
void precopy_pass_begins(struct precopy *precopy, uint64_t now_ms);
void precopy_pass_ends(struct precopy *precopy, uint64_t ram, uint64_t sent, uint64_t now_ms);

/* Call between two passes, with the bytes that are left of RAM and of the disks. */
enum precopy_verdict precopy_decide(struct precopy *precopy, uint64_t ram, uint64_t disks,
                                    uint64_t now_ms);

/* The rate, in bytes a second, at which the rest would fit the downtime. */
uint64_t precopy_needed_rate(const struct precopy *precopy);

#endif

/* When is little enough left to pause the guest for it? */
#ifndef XMIG_HOST_XEN_GUEST_PRECOPY_H
#define XMIG_HOST_XEN_GUEST_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>

enum precopy_verdict {
    PRECOPY_GO_ON,   /* another pass */
    PRECOPY_WAIT,    /* RAM is little enough, the disks are not: another pass, but not at once */
    PRECOPY_PAUSE,   /* pause the guest, send the rest */
    PRECOPY_STALLED, /* another pass, but it has ceased to become less; told once for each
                        standstill */
    PRECOPY_HOPELESS /* … for so long that it will not */
};

struct precopy {
    uint64_t max_downtime_ms;
    uint64_t began_ms;    /* the present pass */
    double rate;          /* bytes of the lane a millisecond: the best pass so far; 0: not known */
    double pace;          /* … and bytes of RAM */
    double share;         /* … how much of RAM's bytes the lane takes, by the last pass */
    uint64_t least;       /* the least of RAM and disks that was ever left */
    uint64_t least_ms;    /* … when that was */
    unsigned vain;        /* passes since then */
    bool told;            /* … that they are in vain */
    uint64_t left;        /* bytes for the lane, as of the last decision */
    uint64_t expected_ms; /* … how long the pause would be */
    bool has_deadline;    /* somebody else gives up */
};

/* A pass begins; one has ended, with so many bytes of RAM, compressed to so many. */
void precopy_pass_begins(struct precopy *precopy, uint64_t now_ms);
void precopy_pass_ends(struct precopy *precopy, uint64_t ram, uint64_t sent, uint64_t now_ms);

/* Between two passes, with so much left of RAM and of the disks. */
enum precopy_verdict precopy_decide(struct precopy *precopy, uint64_t ram, uint64_t disks,
                                    bool disks_ready, uint64_t now_ms);

/* Bytes a second that would have to be sent for what was left to fit the downtime. */
uint64_t precopy_needed_rate(const struct precopy *precopy);

#endif

/* A page of memory that the receiver shares with the processes that carry its lanes: how fast they
 * may be together, and how much each lane has brought. So a lane that has no limit pays for none,
 * and can be given one while it runs.
 */
#ifndef XMIG_TRANSPORT_LANES_SHARE_H
#define XMIG_TRANSPORT_LANES_SHARE_H

#include <stdbool.h>

#include "transport/lanes/rate.h"
#include "xmig/error.h"

enum {
    LANE_SHARE_LANES = 72 /* disks, RAM, and as many more as anybody has */
};

struct lane_share {
    struct rate rate;
    atomic_bool beats; /* the sender takes RELAY_BEAT_WORDS for what they are */
    atomic_uint_fast64_t carried[LANE_SHARE_LANES]; /* bytes towards the hypervisor */
};

/* The descriptor leads others to the same memory, and is the caller's to close. */
struct lane_share *lane_share_new(int *fd, struct error *err);
/* NULL: that is none. */
struct lane_share *lane_share_open(int fd);
void lane_share_free(struct lane_share *share); /* NULL is fine */

/* What one lane has of it. */
struct carrier {
    struct lane_share *share; /* NULL: nobody limits it, or counts */
    size_t lane;
};

/* How many bytes may be read at once, of `most`. */
size_t carrier_portion(const struct carrier *carrier, size_t most);

/* So many were read. They may be passed on in their turn. */
struct turn carrier_take(const struct carrier *carrier, size_t size);

/* Milliseconds until then; 0: now. */
int carrier_wait_ms(const struct carrier *carrier, const struct turn *turn);

/* A server may close what has carried nothing for a while (ChannelTimeout of sshd's), and a lane
 * carries nothing as long as the guest writes nothing. What is written then, every few seconds:
 */
enum relay_beat {
    RELAY_BEAT_NONE,
    RELAY_BEAT_WORDS,    /* a NUL on our standard error, which the sender drops */
    RELAY_BEAT_FRAMES_A, /* a frame without bytes: what passes by `a_in` and `a_out` is framed, … */
    RELAY_BEAT_FRAMES_B, /* … by `b`: a length (4 bytes, big endian), then so many bytes */
};

/* relay_both() with a beat, where what comes by `a_in` is limited and counted. */
bool relay_lane(int a_in, int a_out, int b, const struct carrier *carrier, enum relay_beat beat,
                struct error *err);

#endif

/* What travels through a simulated VM's lanes: bulk bytes, a last word, an answer.
 *
 * A frame is a byte of type, a 4-byte big-endian length, and that many bytes.
 */
#ifndef XMIG_HOST_SIMULATED_LANE_H
#define XMIG_HOST_SIMULATED_LANE_H

#include "xmig/stream.h"

enum lane_frame {
    FRAME_BULK = 'B',  /* content nobody looks at */
    FRAME_FINAL = 'F', /* a decimal number: how many writes the disk has seen; RAM: its size */
    FRAME_ACK = 'A',   /* the same number, from the target: it is all here */
};

struct simulated_lane {
    struct loop *loop;
    struct stream *stream;
    uint64_t sent;  /* bulk bytes */
    uint64_t heard; /* bulk bytes */
    bool has_final;
    uint64_t final;
};

/* Takes `fd`. */
struct simulated_lane *simulated_lane_new(struct loop *loop, int fd, struct error *err);
void simulated_lane_free(struct simulated_lane *lane);

/* Queue bulk until `total` bytes have been sent or enough is under way. */
bool simulated_lane_pump(struct simulated_lane *lane, uint64_t total, struct error *err);

/* Send all bulk, then `number` as the last word, and wait for its acknowledgement. */
bool simulated_lane_complete(struct simulated_lane *lane, uint64_t total, uint64_t number,
                             struct error *err);

/* Wait for the other side's last word, and acknowledge it. */
bool simulated_lane_await_final(struct simulated_lane *lane, struct error *err);

/* Has the last word come? (It is acknowledged as it comes.) */
bool simulated_lane_is_final(const struct simulated_lane *lane);

#endif

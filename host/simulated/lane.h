/* A simulated VM's lane. The source sends BULK frames and one FINAL; the target answers with ACK.
 *
 * A frame is a byte of type, a 4-byte big-endian length, and that many bytes.
 */
#ifndef XMIG_HOST_SIMULATED_LANE_H
#define XMIG_HOST_SIMULATED_LANE_H

#include "xmig/stream.h"

enum lane_frame {
    FRAME_BULK = 'B',  /* content that is only counted */
    FRAME_FINAL = 'F', /* a decimal number: how many writes the disk has seen; RAM: its size */
    FRAME_ACK = 'A',   /* the same number, from the target: everything has arrived */
};

struct simulated_lane {
    struct loop *loop;
    struct stream *stream;
    uint64_t sent;  /* bulk bytes */
    uint64_t heard; /* bulk bytes */
    bool has_final; /* FINAL came (target), or ACK (source) */
    uint64_t final; /* its number */
};

/* Takes `fd`. */
struct simulated_lane *simulated_lane_new(struct loop *loop, int fd, struct error *err);
void simulated_lane_free(struct simulated_lane *lane);

/* Queue bulk until `total` bytes have been sent or enough is under way. */
bool simulated_lane_pump(struct simulated_lane *lane, uint64_t total, struct error *err);

/* Send all bulk, then FINAL with `number`, and wait for ACK. */
bool simulated_lane_complete(struct simulated_lane *lane, uint64_t total, uint64_t number,
                             struct error *err);

/* Wait for the peer's FINAL, or at the source for its ACK. */
bool simulated_lane_await_final(struct simulated_lane *lane, struct error *err);

/* Has that FINAL or ACK come? A FINAL is acknowledged on arrival. */
bool simulated_lane_is_final(const struct simulated_lane *lane);

#endif

/* The two ends of a lane: the sender's door, to which its hypervisor connects, and the receiver's,
 * which leads to its own.
 */
#ifndef XMIG_LANES_H
#define XMIG_LANES_H

#include "xmig/transport.h"

/* The feature of a receiver that knows compressed lanes, and the first part of their names: what
 * goes to the target in a lane "lz4/NAME" is compressed, and decompressed before lane NAME's
 * hypervisor.
 */
#define LANE_LZ4 "lz4"

/* A unix socket that this machine's hypervisor connects to: each connection
 * becomes a lane. So a hung lane can be cut, and a broken one replaced.
 *
 * @param compressed  if the peer knows compressed lanes, this is one
 */
struct lane_door;
struct lane_door *lane_door_new(struct transport *transport, const char *name, bool compressed,
                                struct error *err);
/* The same for a client of NBD, whose export has `size` bytes: if the peer knows lanes past the
 * handshake (xmig/nbd.h), the client is answered here, before the lane is open.
 */
struct lane_door *lane_door_new_nbd(struct transport *transport, const char *name, uint64_t size,
                                    bool compressed, struct error *err);
const char *lane_door_path(const struct lane_door *door);
/* How many connections have come in, and what went wrong with the last (false): also when
 * its lane broke later. A lane that was cut has not gone wrong.
 */
size_t lane_door_count(const struct lane_door *door);
bool lane_door_ok(const struct lane_door *door, struct error *err);
/* Its lanes live on with the transport, which must be freed later. NULL is fine. */
void lane_door_free(struct lane_door *door);

/* The receiver's door: where `xmig lane`, and a later `xmig recv` of the same
 * migration, find the process that owns it. In RUNTIME_DIR/ID/recv.sock; the directory is
 * made, with mode 0700, if it is missing. A ticket may therefore stand in a command line
 * for all to see: it keeps lanes of one migration apart, and the directory's mode keeps
 * other users out.
 */
struct receiver_door_ops {
    /* Connect lane `name` to the hypervisor: a descriptor the door takes, or -1. Runs on
     * the loop, and so cannot wait.
     */
    int (*lane)(void *arg, const char *name, struct error *err);
    /* A new control connection for this migration (descriptors taken). Closing both
     * ends it.
     */
    void (*control)(void *arg, int in_fd, int out_fd);
    void *arg;
};
#define RECEIVER_DOOR "recv.sock"
struct receiver_door;
struct receiver_door *receiver_door_new(struct loop *loop, const char *runtime_dir, const char *id,
                                        const char *ticket, struct receiver_door_ops ops,
                                        struct error *err);
/* Take no more than this in a second, by all lanes together. Once, before the first lane. */
void receiver_door_limit(struct receiver_door *door, uint64_t bytes_per_s);
/* The same at any time, for lanes that are there already, as the source asks (0: no limit). */
void receiver_door_limit_lanes(struct receiver_door *door, uint64_t bytes_per_s);
/* The sender drops what an idle lane says on its standard error: lanes may. */
void receiver_door_beat(struct receiver_door *door);
/* How much each lane has brought so far, as it came: an array of {"subject", "sent"} for the
 * caller. */
cJSON *receiver_door_carried(const struct receiver_door *door);
void receiver_door_free(struct receiver_door *door);
const char *receiver_door_path(const struct receiver_door *door);
/* False: what came by a lane was damaged, so that the hypervisor has not got all of it. */
bool receiver_door_ok(const struct receiver_door *door, struct error *err);

/* The name of a lane that leads nowhere: it says one byte when it is open, and ends with its
 * reader.
 */
#define LANE_PROBE "probe"

/**
 * What `xmig lane` does: ask the receiver's door for lane `name`, then move
 * bytes between it and `in`/`out` until both directions have ended. Blocks.
 *
 * @param framed  what passes by `in` and `out` is framed (RELAY_BEAT_FRAMES_A)
 */
bool lane_join(const char *runtime_dir, const char *id, const char *ticket, const char *name,
               int in, int out, bool framed, struct error *err);

/* Ask the receiver's door for lane `name`: a descriptor that leads to the hypervisor, and is the
 * caller's to close, or -1; and what the lane has in common with others (transport/lanes/share.h).
 * Blocks.
 */
struct carrier;
int lane_open(const char *runtime_dir, const char *id, const char *ticket, const char *name,
              struct carrier *carrier, struct error *err);

/* As lane_join() from the sender's machine, through a socket that leads to the receiver's door. */
bool lane_join_via(const char *socket, const char *ticket, const char *name, int in, int out,
                   struct error *err);

/**
 * Hand a control connection to the living receiver of `id`, and stay until it
 * is through with it. Blocks.
 *
 * @param timeout_ms  for the receiver to say that it takes it
 * @return false with ERROR_LOST: there is none; ERROR_TIMEOUT: it does not answer
 */
bool receiver_door_hand_over(const char *runtime_dir, const char *id, int in, int out,
                             uint64_t timeout_ms, struct error *err);

/**
 * Move bytes both ways, from `a_in` to `b` and from `b` to `a_out`, until both
 * directions have ended. Blocks. `a_in` and `a_out` may be one descriptor.
 *
 * An end of file is passed on: by shutdown(2) to a socket; anything else is closed for the
 * other end, though its number stays the caller's. Descriptors are left non-blocking.
 *
 * @return false also when bytes could not be delivered
 */
bool relay_both(int a_in, int a_out, int b, struct error *err);

#endif

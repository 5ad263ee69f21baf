/* Ways to reach the peer's xmig.
 *
 * A transport starts `xmig WORDS…` on the other machine with one socket of
 * ours as its standard input and output, and knows nothing of what is said.
 * Two kinds of connection are made: control (`xmig recv`), and lanes (`xmig
 * lane ID TICKET NAME`): separate byte streams with a name ("disk/vda", "ram"),
 * which reach the receiving hypervisor without passing through this process.
 *
 * Processes that use any of this ignore SIGPIPE.
 */
#ifndef XMIG_TRANSPORT_H
#define XMIG_TRANSPORT_H

#include "xmig/event.h"
#include "xmig/json.h"
#include "xmig/loop.h"

struct transport;

struct transport_options {
    const char *rsh;         /* instead of "ssh"; words are split at spaces; NULL */
    const char *remote_path; /* how the peer's shell finds xmig; NULL: "xmig" */
    const char *runtime_dir; /* this migration's own, for its sockets: exists, mode 0700 */
    uint64_t bandwidth;      /* bytes a second for all lanes together; 0: no limit */
};

struct transport_ops {
    const char *scheme;  /* "ssh", "local": the word before ':' */
    const char *summary; /* for --help */
    bool is_here;        /* the peer is this machine itself */
    /* Is `rest` (DEST without its scheme) well-formed? Touches nothing. */
    bool (*accepts)(const char *rest, struct error *err);
    /* Authenticate, once, so that dial() need not ask. NULL: nothing to do. */
    bool (*open)(struct transport *transport, struct error *err);
    /* Start `xmig words…` at the peer with `fd` (borrowed) as stdin and stdout. */
    struct child *(*dial)(struct transport *transport, const char *const words[], int fd,
                          struct error *err);
    /* The same by a connection of its own, which asks nobody for a password and gives up soon:
     * what open() made may be dead and not know it. NULL: dial() makes one each time.
     */
    struct child *(*dial_anew)(struct transport *transport, const char *const words[], int fd,
                               struct error *err);
    /* Can `lanes` lanes be open at once? Called when the peer has said hello. NULL: any number. */
    bool (*make_room)(struct transport *transport, size_t lanes, struct error *err);
    /* Say in words why a dialled program ended with `status` before it spoke; NULL. */
    void (*explain)(struct transport *transport, int status, struct error *err);
    /* Let go of what open() made, and of `impl`. NULL: nothing to do. */
    void (*close)(struct transport *transport);
};

/* All schemes, NULL-terminated; transport/transport.c */
extern const struct transport_ops *const transport_schemes[];

/* What every scheme's code may look at. */
struct transport {
    const struct transport_ops *ops;
    struct loop *loop;
    char *dest; /* as the user wrote it */
    char *rest; /* without "scheme:" and "//" */
    struct transport_options options;
    char id[17];
    char ticket[33];
    char *door;         /* the receiver's, a path over there; "": not known */
    struct rate *rate;  /* NULL: no limit */
    struct lane *lanes; /* a list; transport/lanes/lane.c */
    struct pump *pumps; /* of lanes that have ended; transport/lanes/lane.c */
    bool lanes_are_cut; /* there will be no others */
    void *impl;         /* the scheme's own; freed by close() */
};

/**
 * Understand `dest` ("host", "user@host", "ssh://user@host:port", "local:").
 * Nothing is contacted. `options` is borrowed.
 */
struct transport *transport_new(struct loop *loop, const char *dest,
                                const struct transport_options *options, struct error *err);

/* The same in a way of the caller's own, for tests: `ops` need not be in the table, and
 * `impl` is theirs.
 */
struct transport *transport_new_custom(struct loop *loop, const struct transport_ops *ops,
                                       const char *dest, void *impl,
                                       const struct transport_options *options);

/* Ends every lane and connection. NULL is fine. */
void transport_free(struct transport *transport);

/* Authenticate. Waits for whoever has to type a password. */
bool transport_open(struct transport *transport, struct error *err);

/**
 * Start `xmig recv` at the peer. Returns our end of its stdin and stdout, which
 * the caller closes, and the child in `*child` (NULL for none), which the caller frees.
 *
 * @param anew  by a connection of its own, past what transport_open() made
 */
int transport_control(struct transport *transport, bool anew, struct child **child,
                      struct error *err);

/* Why did the control connection end before the peer's first word? Leaves `err` as it is
 * when nothing better is known. Works under an interruption, which that loss may be.
 */
void transport_explain(struct transport *transport, struct child *child, struct error *err);

/* What lanes are opened with: the migration's id, the ticket the peer gave, and where its door is
 * (NULL: it did not say).
 */
void transport_set_ticket(struct transport *transport, const char *id, const char *ticket,
                          const char *door);

/* Make sure that `lanes` lanes can be open at once, or say what to change (ERROR_REFUSED). */
bool transport_make_room(struct transport *transport, size_t lanes, struct error *err);

/* Join the socket `fd` (taken) to the peer's lane `name`. When the peer's end of the lane
 * has gone, `fd` is shut down.
 */
bool transport_lane(struct transport *transport, const char *name, int fd, struct error *err);

/* No limit any more: the guest stands still, and waits for what is still to be sent. */
void transport_lift_limit(struct transport *transport);

/* Cut every lane: whoever holds the other ends of their sockets sees the end at once,
 * whatever has become of the peer and of the way there. Doors are shut from now on: who
 * connects sees the end, too.
 */
void transport_cut_lanes(struct transport *transport);

/* A unix socket that this machine's hypervisor connects to: each connection
 * becomes a lane. So a hung lane can be cut, and a broken one replaced.
 */
struct lane_door;
struct lane_door *lane_door_new(struct transport *transport, const char *name, struct error *err);
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
struct receiver_door;
struct receiver_door *receiver_door_new(struct loop *loop, const char *runtime_dir, const char *id,
                                        const char *ticket, struct receiver_door_ops ops,
                                        struct error *err);
void receiver_door_free(struct receiver_door *door);
const char *receiver_door_path(const struct receiver_door *door);

/* The name of a lane that leads nowhere: it says one byte when it is open, and ends with its
 * reader.
 */
#define LANE_PROBE "probe"

/**
 * What `xmig lane` does: ask the receiver's door for lane `name`, then move
 * bytes between it and `in`/`out` until both directions have ended. Blocks.
 */
bool lane_join(const char *runtime_dir, const char *id, const char *ticket, const char *name,
               int in, int out, struct error *err);

/* The same from the sender's machine, through a socket that leads to the receiver's door. */
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

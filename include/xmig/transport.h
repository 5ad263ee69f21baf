/* Ways to reach the peer's xmig.
 *
 * A transport starts `xmig WORDS…` on the other machine, joins one socket of
 * ours to its standard input and output, and knows nothing of what is said.
 * Two kinds of connection are made: control (`xmig recv`), and lanes (`xmig
 * lane ID TICKET NAME`): separate byte streams with a name ("disk/vda", "ram").
 * To add a transport: docs/writing-a-transport.md.
 *
 * Processes that use any of this ignore SIGPIPE.
 */
#ifndef XMIG_TRANSPORT_H
#define XMIG_TRANSPORT_H

#include <stdatomic.h>

#include "xmig/event.h"
#include "xmig/json.h"
#include "xmig/link.h"
#include "xmig/side.h"

struct transport;

struct transport_options {
    const char *rsh;         /* ssh: a command instead, whose words are split at spaces; NULL */
    const cJSON *tls;        /* tls: the members of transport/tls/settings.h; NULL: all left out */
    const char *remote_path; /* how the peer's shell finds xmig; NULL: "xmig" */
    const char *runtime_dir; /* this migration's own, for its sockets: exists, mode 0700 */
    uint64_t bandwidth;      /* bytes a second for all lanes together; 0: no limit */
    int errors; /* where the programs that make connections complain (borrowed); 0: nowhere */
};

struct transport_ops {
    const char *scheme;  /* "ssh", "local": the word before ':' */
    const char *summary; /* for --help */
    bool is_here;        /* the peer is this machine itself */
    /* Is `rest` (DEST without its scheme) well-formed? Touches nothing. */
    bool (*accepts)(const char *rest, struct error *err);
    /* Authenticate, once, so that dial() need not ask. NULL: nothing to do. */
    bool (*open)(struct transport *transport, struct error *err);
    /* Start `xmig words…` at the peer, and join `fd` (a blocking socket, borrowed: whoever needs it
     * later has a copy) to its stdin and stdout. When the connection ends, so does the link.
     */
    struct link *(*dial)(struct transport *transport, const char *const words[], int fd,
                         struct error *err);
    /* The same by a connection of its own, which asks nobody for a password and gives up soon:
     * what open() made may be dead and not know it. NULL: dial() makes one each time.
     */
    struct link *(*dial_anew)(struct transport *transport, const char *const words[], int fd,
                              struct error *err);
    /* Can `lanes` lanes be open at once? Called when the peer has said hello. NULL: any number. */
    bool (*make_room)(struct transport *transport, size_t lanes, struct error *err);
    /* Say in words why a link ended with `status` before the peer spoke; NULL. */
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
    char *door;                   /* the receiver's, a path over there; "": not known */
    bool peer_decompresses;       /* the receiver knows lanes named LANE_LZ4 "/NAME" */
    bool peer_greets;             /* the receiver knows lanes named LANE_NBD "/NAME" */
    bool peer_limits;             /* the receiver can limit lanes that we do not */
    struct rate *rate;            /* of all lanes together */
    bool is_limited;              /* its lanes are by us, and by how much may change */
    bool is_lifted;               /* for the pause, and for good */
    bool peer_is_told;            /* of the limit, for lanes that are not limited by us */
    uint64_t allowed;             /* bytes a second, by the target; 0: as many as there are */
    struct lane *lanes;           /* a list; transport/lanes/lane.c */
    struct filter *filters;       /* of lanes that have ended; transport/lanes/filter.c */
    atomic_uint_fast64_t written; /* bytes that compressed lanes have carried */
    struct error lane_failure;    /* of the last lane that broke */
    bool lanes_are_cut;           /* there will be no others */
    void *impl;                   /* the scheme's own; freed by close() */
};

/**
 * Understand `dest` ("host", "user@host", "ssh://user@host:port", "local:").
 * Nothing is contacted. `options` is borrowed.
 */
struct transport *transport_new(struct loop *loop, const char *dest,
                                const struct transport_options *options, struct error *err);

/* The same, for tests: `ops` need not be in the table; `ops` and `impl` are the caller's. */
struct transport *transport_new_custom(struct loop *loop, const struct transport_ops *ops,
                                       const char *dest, void *impl,
                                       const struct transport_options *options);

/* Ends every lane and connection. NULL is fine. */
void transport_free(struct transport *transport);

/* Authenticate. Waits for whoever has to type a password. */
bool transport_open(struct transport *transport, struct error *err);

/**
 * Start `xmig recv` at the peer. The link's `fd` is our end of its stdin and stdout, which the
 * caller may take.
 *
 * @param anew  by a connection of its own, past what transport_open() made
 */
struct link *transport_control(struct transport *transport, bool anew, struct error *err);

/* Why did the control connection end before the peer's first word? Leaves `err` as it is
 * when nothing better is known. Works under an interruption, which that loss may be.
 */
void transport_explain(struct transport *transport, struct link *link, struct error *err);

/* What lanes are opened with: the id, the peer's ticket, and its door's path (NULL: not known). */
void transport_set_ticket(struct transport *transport, const char *id, const char *ticket,
                          const char *door);

/* Make sure that `lanes` lanes can be open at once, or say what to change (ERROR_REFUSED). */
bool transport_make_room(struct transport *transport, size_t lanes, struct error *err);

/* Join the socket `fd` (taken) to the peer's lane `name`. When its end has gone, `fd` is shut down.
 */
bool transport_lane(struct transport *transport, const char *name, int fd, struct error *err);

/* Has no lane broken? What the hypervisor sees of it is only an end. */
bool transport_lanes_ok(const struct transport *transport, struct error *err);

/* What the target takes in a second at most (0: no limit), whatever is asked for here. */
void transport_allow(struct transport *transport, uint64_t bytes_per_s);

/* At most so many bytes a second by all lanes (0: no limit of ours). True: tell the receiver. */
bool transport_limit(struct transport *transport, uint64_t bytes_per_s);
uint64_t transport_limited_to(const struct transport *transport); /* 0: lanes keep to none */

/* No limit but the target's any more: the guest stands still. True: tell the receiver. */
bool transport_lift_limit(struct transport *transport);

/* Cut every lane: whoever holds the other ends of their sockets sees the end at once, whatever has
 * become of the peer. Doors are shut from now on: who connects sees the end, too.
 */
void transport_cut_lanes(struct transport *transport);

/* Is `name` that of a socket which a transport of `side` makes in a runtime directory? */
bool transport_makes_socket(enum side side, const char *name);

#endif

/* The control connection between the two xmigs.
 *
 * A message is a 4-byte big-endian length (at most SESSION_MESSAGE_MAX) and
 * one JSON object with a string "type". Unknown members are ignored; an
 * unknown type, or one that is not permitted now, ends the session. A whole
 * conversation (docs/wire-protocol.md has it with every member):
 *
 *     sender                                receiver
 *     hello {protocol, id, token, …}   →
 *                                      ←    hello {protocol, machine, ticket, …}
 *     params {…the VM…}                →                           (params-copy)
 *     checked {plan}                  ←→    checked {plan}
 *     done {stage: "params-copy"}     ←→    done {stage: "params-copy"}
 *     …                                     … each stage's own messages, its done
 *                                      ←    ready             (incoming-resume)
 *     go                               →
 *                                      ←    running
 *     done {stage: "incoming-resume"} ←→    done {stage: "incoming-resume"}
 *     goodbye                         ←→    goodbye
 *
 * `alive` is said every few seconds by both; `abort {kind, text}` at any time,
 * by the side that gives up. A side is "at" a stage from its previous `done`
 * to its own; what it may say there is the stage's own table of messages.
 */
#ifndef XMIG_SESSION_H
#define XMIG_SESSION_H

#include "xmig/json.h"
#include "xmig/loop.h"
#include "xmig/session-aside.h"
#include "xmig/side.h"

/* Must be raised when an older peer could misunderstand us, in a lane too; see
 * docs/wire-protocol.md. 3: a lane is compressed only if its name says so.
 */
enum {
    SESSION_PROTOCOL = 3
};

enum {
    SESSION_MESSAGE_MAX = 1024 * 1024
};

/* What `from` may say while it is at a stage. Tables end with a NULL type. */
struct message_rule {
    const char *type;
    enum side from;
};

/* One station of the conversation: a stage's name and its messages. */
struct session_station {
    const char *name;
    const struct message_rule *rules;
};

struct session_timing {
    uint64_t alive_ms; /* say `alive` this often */
    uint64_t lost_ms;  /* a peer silent for so long is lost */
};

struct session;

/**
 * Talk over two descriptors (taken, also on failure; they may be the same one).
 *
 * A lost connection (ERROR_LOST), a broken rule (ERROR_PROTOCOL) and the peer's `abort` interrupt.
 */
struct session *session_new(struct loop *loop, int in_fd, int out_fd, enum side side,
                            struct session_timing timing, struct error *err);

/* Closes the connection without a word. NULL is fine. */
void session_free(struct session *session);

/* The sender's hello brings its own timing. */
void session_set_timing(struct session *session, struct session_timing timing);

/* The stations after the hellos, in order, ended by a NULL name; borrowed. */
void session_set_stations(struct session *session, const struct session_station *stations);

/* Tell the history with the goodbye, and compare clocks from now on: the peer knows of both. */
void session_share(struct session *session, struct session_history history);

void session_carry(struct session *session, struct session_lanes lanes);

/* Ask a peer that knows of it to limit the lanes from now on (0: no limit). Nothing after an abort.
 */
void session_limit(struct session *session, uint64_t bytes_per_s);

/* Say `type` with the members of `body` (taken; NULL: none). */
bool session_send(struct session *session, const char *type, cJSON *body, struct error *err);

/* Wait for the peer's next message: `type`, or ERROR_PROTOCOL. The caller frees it. */
cJSON *session_expect(struct session *session, const char *type, uint64_t timeout_ms,
                      struct error *err);

/* The same for one of several types (NULL-terminated); the message's own
 * "type" says which.
 */
cJSON *session_expect_any(struct session *session, const char *const types[], uint64_t timeout_ms,
                          struct error *err);

/* The same for one type, dropping what comes before it: after an `abort` the words come in
 * any order, behind those that crossed it. The time is for all of them together.
 */
cJSON *session_skip_to(struct session *session, const char *type, uint64_t timeout_ms,
                       struct error *err);

/* Say that we are through with station `name`, and hear it from the peer. */
bool session_done(struct session *session, const char *name, uint64_t timeout_ms,
                  struct error *err);

/* Say `abort` with our reason (best effort) and stop listening to the peer: nothing
 * it says or fails to say interrupts the loop any more.
 */
void session_abort(struct session *session, const struct error *why);

/* What the peer's `abort` has said that its checks refuse, each an object with "text" and "stage";
 * borrowed; NULL: nothing.
 */
const cJSON *session_refusals(const struct session *session);

/* Stop being interrupted by the peer: its loss is told by session_lost(), and its
 * `abort` is a message like any other.
 */
void session_mute(struct session *session);
bool session_lost(const struct session *session);

/* Has a message come in that nobody has taken yet? */
bool session_pending(const struct session *session);

/* Break the connection, as a failing network would. For --fault. */
void session_cut(struct session *session);

/* Say goodbye, and wait a moment for the peer's. Best effort. */
void session_goodbye(struct session *session);

#endif

/* The first words on a control connection: who speaks, of which migration, and
 * what for.
 */
#ifndef XMIG_PIPELINE_HANDSHAKE_H
#define XMIG_PIPELINE_HANDSHAKE_H

#include "xmig/move.h"

/* What this side can do beyond the protocol; ends with NULL. */
extern const char *const handshake_features[];

/* Sender: dial, say hello for a move, hear the receiver's; m->peer is set. */
bool handshake_move(struct migration *m, struct error *err);

/* What a query says of its sender, and asks for. */
struct query {
    bool committed; /* COMMIT is its last word */
    bool look;      /* only tell how things stand: nothing may change by it */
    bool back;      /* a person gives the copy up, though it may have run */
};

/* Sender: dial anew and ask for a verdict; m->peer is replaced. ERROR_REFUSED: the receiver's
 * xmig does not know what is asked for.
 */
bool handshake_query(struct migration *m, struct query query, struct error *err);

/* What the peer whose hello this is can do: share the history with it, let idle lanes say that they
 * live.
 */
void handshake_share(struct migration *m, const cJSON *theirs);

/* Receiver: hear the hello on m->peer. The caller frees it. */
cJSON *handshake_hear(struct migration *m, struct error *err);

/* Receiver: answer it. `ticket` is what lanes will be opened with; NULL: none. */
bool handshake_reply(struct migration *m, const char *ticket, struct error *err);

/* Receiver: take over a connection whose hello (a query) has been heard. */
bool handshake_answer_query(struct migration *m, int in_fd, int out_fd, struct query *query,
                            struct error *err);

#endif

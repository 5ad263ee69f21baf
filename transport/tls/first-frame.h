/* The first frame of each connection: the sender names the command of xmig that it wants, and the
 * receiver answers. After these two the connection carries that command's bytes. Each is a frame
 * (transport/frame.h) of at most FIRST_FRAME_MAX bytes.
 */
#ifndef XMIG_TRANSPORT_TLS_FIRST_FRAME_H
#define XMIG_TRANSPORT_TLS_FIRST_FRAME_H

#include "transport/tls/channel.h"
#include "xmig/json.h"

enum {
    FIRST_FRAME_MAX = 8192
};

/* {"words": ["recv"]} or {"words": ["lane", ID, TICKET, NAME]}; and {"ok": true} or {"error": TEXT,
 * "kind": KIND}. The caller frees what words_to_frame() returns.
 */
cJSON *words_to_frame(const char *const words[]);

/* The command that a first frame asks for; any other frame is refused. */
struct first_words {
    bool is_lane; /* else `recv` */
    const char *id, *ticket, *name;
};
bool words_of_frame(const cJSON *frame, struct first_words *words, struct error *err);

bool answer_is_ok(const cJSON *answer, struct error *err);
bool answer_say(struct channel *channel, const struct error *why, struct error *err);

/* Read one frame; the caller frees it. NULL: `err` says why. For `stop` see channel_read_all(). */
cJSON *first_frame_read(struct channel *channel, int stop, uint64_t timeout_ms, struct error *err);
bool first_frame_write(struct channel *channel, const cJSON *frame, int stop, uint64_t timeout_ms,
                       struct error *err);

#endif

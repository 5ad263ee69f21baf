/* Messages that have come in and that nobody has waited for yet, bounded. */
#ifndef XMIG_TRANSPORT_QUEUE_H
#define XMIG_TRANSPORT_QUEUE_H

#include "xmig/json.h"

enum {
    QUEUE_MAX = 64
};

struct message_queue {
    cJSON *messages[QUEUE_MAX];
    size_t sizes[QUEUE_MAX]; /* bytes that each has come in */
    size_t count;
};

/* For one more message of so many bytes? If not, the peer breaks the rules. */
bool queue_has_room(const struct message_queue *queue, size_t size, struct error *err);
/* Takes the message. */
void queue_put(struct message_queue *queue, cJSON *message, size_t size);
/* The oldest of them; there is one. It is the caller's. */
cJSON *queue_take(struct message_queue *queue);
void queue_done(struct message_queue *queue);

#endif

/* Messages in the order in which they came. */
#include "transport/queue.h"

#include <string.h>

#include "xmig/session.h"

enum {
    BYTES_MAX = 2 * SESSION_MESSAGE_MAX
};

bool queue_has_room(const struct message_queue *queue, size_t size, struct error *err)
{
    size_t bytes = size;

    for (size_t i = 0; i < queue->count; i++)
        bytes += queue->sizes[i];
    return (queue->count < QUEUE_MAX && bytes <= BYTES_MAX) ||
           error_set(err, ERROR_PROTOCOL, "the peer says more than anybody waits for");
}

void queue_put(struct message_queue *queue, cJSON *message, size_t size)
{
    queue->sizes[queue->count] = size;
    queue->messages[queue->count++] = message;
}

cJSON *queue_take(struct message_queue *queue)
{
    cJSON *message = queue->messages[0];

    queue->count--;
    memmove(queue->messages, queue->messages + 1, queue->count * sizeof(queue->messages[0]));
    memmove(queue->sizes, queue->sizes + 1, queue->count * sizeof(queue->sizes[0]));
    return message;
}

void queue_done(struct message_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        cJSON_Delete(queue->messages[i]);
}

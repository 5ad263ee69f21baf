/* Time without progress. */
#include "transport/idle.h"

#include <string.h>

#include "xmig/loop.h"

enum {
    IDLE_TIMES = 180, /* of lost_ms: an hour, by default */
    IDLE_MAX_MS = 3600 * 1000
};

void idle_begin(struct idle *idle)
{
    *idle = (struct idle){ .since_ms = loop_now_ms() };
}

/* Overflow makes another number, too, and that is all that counts. */
static uint64_t sum_of(const cJSON *transfers, const char *key)
{
    const cJSON *transfer;
    uint64_t sum = 0;

    cJSON_ArrayForEach (transfer, transfers)
        sum += json_uint_or(transfer, key, 0);
    return sum;
}

static bool is_progress(struct idle *idle, const char *type, const cJSON *message)
{
    static const char *const signs_of_life[] = { "alive", "pong", "history", "limit" };
    uint64_t before = idle->moved;

    for (size_t i = 0; i < sizeof(signs_of_life) / sizeof(signs_of_life[0]); i++)
        if (!strcmp(type, signs_of_life[i]))
            return false;
    if (strcmp(type, "ping") != 0)
        return true;
    idle->moved = sum_of(json_get(message, "progress"), "done");
    return idle->moved != before;
}

void idle_hear(struct idle *idle, const char *type, const cJSON *message)
{
    if (is_progress(idle, type, message))
        idle->since_ms = loop_now_ms();
}

void idle_look(struct idle *idle, const struct session_lanes *lanes)
{
    AUTO_JSON cJSON *carried = lanes->carried ? lanes->carried(lanes->arg) : NULL;
    uint64_t before = idle->carried;

    idle->carried = sum_of(carried, "sent");
    if (idle->carried != before)
        idle->since_ms = loop_now_ms();
}

bool idle_is_over(const struct idle *idle, const struct session_timing *timing, struct error *why)
{
    uint64_t longest_ms = timing->lost_ms * IDLE_TIMES;
    uint64_t idle_ms = loop_now_ms() - idle->since_ms;

    if (idle_ms <= (longest_ms < IDLE_MAX_MS ? longest_ms : IDLE_MAX_MS))
        return false;
    error_set(why, ERROR_LIMIT, "the peer is alive, but has done nothing more for %llu s",
              (unsigned long long)(idle_ms / 1000));
    return true;
}

/* Two clocks, compared. */
#include "transport/clocks.h"

#include <time.h>

#include "xmig/cleanup.h"

enum {
    AT_FIRST = 8, /* round trips */
    LATER = 30
};

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

cJSON *clocks_ask(struct clocks *clocks)
{
    cJSON *body = must(cJSON_CreateObject());

    clocks->asked_us = now_us();
    json_add_uint(body, "sent_us", clocks->asked_us);
    return body;
}

cJSON *clocks_answer(const cJSON *ping)
{
    cJSON *body = must(cJSON_CreateObject());

    json_add_uint(body, "sent_us", json_uint_or(ping, "sent_us", 0));
    json_add_uint(body, "now_us", now_us());
    return body;
}

bool clocks_take(struct clocks *clocks, const cJSON *pong, struct session_clock *best)
{
    uint64_t trip_us = now_us() - clocks->asked_us;

    if (!clocks->asked_us || json_uint_or(pong, "sent_us", 0) != clocks->asked_us)
        return false;
    if (!clocks->count++ || trip_us < clocks->best.round_trip_us)
        clocks->best = (struct session_clock){ clocks->asked_us + trip_us / 2,
                                               json_uint_or(pong, "now_us", 0), trip_us };
    clocks->asked_us = 0;
    if (clocks->count < (clocks->later ? LATER : AT_FIRST))
        return false;
    *best = clocks->best;
    clocks->later = true;
    clocks->count = 0;
    return true;
}

bool clocks_go_on(const struct clocks *clocks)
{
    return !clocks->later && !clocks->asked_us;
}

/* A VM that its service manager has started again is the source's by right as long as nothing was
 * handed over: it goes on from the source's disks, as after a crash. Its manager may need a moment.
 */
#include "started-again.h"

#include <stdio.h>

enum {
    LOOKS = 10
};

static bool look(struct migration *m, struct result *result)
{
    char who[sizeof(result->again)];

    if (!guest_runs_again(m->guest, who, sizeof(who)))
        return false;
    snprintf(result->again, sizeof(result->again), "%s", who);
    result->state = RUN_RUNNING;
    return true;
}

bool started_again(struct migration *m, struct result *result)
{
    result->again[0] = '\0';
    if (result->state != RUN_GONE)
        return false;
    loop_clear_interruption(m->loop);
    for (size_t i = 0; i < LOOKS; i++)
        if (look(m, result) || !loop_pause(m->loop, m->options->poll_ms, NULL))
            break;
    return *result->again != '\0';
}

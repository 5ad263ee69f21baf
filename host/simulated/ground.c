/* Shared by the simulated guest and the simulated copy. */
#include "simulated.h"

#include <fcntl.h>
#include <stdio.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

void simulated_end_lanes(struct simulated *sim)
{
    for (size_t i = 0; i < MACHINE_DISKS_MAX; i++)
        simulated_lane_free(steal(sim->disks[i]));
    simulated_lane_free(steal(sim->ram));
}

void simulated_place(struct simulated *sim, const char *side)
{
    snprintf(sim->machine.path, sizeof(sim->machine.path), "%s/simulated-%s.json",
             sim->context->state_dir, side);
}

bool simulated_change(struct simulated *sim, enum run_state state, struct error *err)
{
    machine_set_state(&sim->machine, state);
    return machine_save(&sim->machine, err);
}

bool simulated_hang_at(struct simulated *sim, const char *where, struct error *err)
{
    enum {
        HOUR_MS = 3600000
    };

    return strcmp(sim->machine.hang, where) != 0 || loop_pause(sim->context->loop, HOUR_MS, err);
}

bool simulated_has_run_since(struct simulated *sim, size_t runs)
{
    struct machine now = sim->machine;

    if (!machine_load(&now))
        return false;
    sim->machine = now;
    return now.run_count != runs || now.state == RUN_RUNNING;
}

static char *mark_path(const struct simulated *sim, const char *name)
{
    return formatted("%s/../%s", sim->context->state_dir, name);
}

bool simulated_has_mark(const struct simulated *sim, const char *name)
{
    AUTO_FREE char *path = mark_path(sim, name);

    return access(path, F_OK) == 0;
}

void simulated_count_at_mark(const struct simulated *sim, const char *name)
{
    AUTO_FREE char *path = mark_path(sim, name);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    if (fd >= 0 && write(fd, ".", 1) < 0)
        abort();
}

void simulated_find_again(struct simulated *sim, const cJSON *records)
{
    const cJSON *record;

    cJSON_ArrayForEach (record, records) {
        const char *path = json_string_or(record, "machine_file", NULL);

        if (path)
            snprintf(sim->machine.path, sizeof(sim->machine.path), "%s", path);
    }
    if (!sim->machine.path[0] || !machine_load(&sim->machine))
        sim->machine.state = RUN_GONE;
}

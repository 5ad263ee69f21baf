/* The simulated copy. Marks (machine.h) make it misbehave as a test wants. */
#include "simulated.h"

#include "params.h"

#include <stdio.h>
#include <sys/socket.h>

#include "xmig/cleanup.h"
#include "xmig/copy.h"
#include "xmig/facts.h"
#include "xmig/text.h"

struct simulated_copy {
    struct copy base;
    struct simulated sim;
    struct simulated_params params;
    bool started; /* the device model is up */
};

static struct simulated_copy *self(struct copy *copy)
{
    return (struct simulated_copy *)copy;
}

/* Its disks are nowhere; by these paths a policy can judge them all the same. */
static bool needs(const struct copy *copy, const cJSON *params, struct needs *needs,
                  struct error *err)
{
    struct simulated_params said;
    struct vm_disk disk;
    const cJSON *item;

    (void)copy;
    if (!fields_read(simulated_fields, params, &said, err))
        return false;
    fields_each (item, said.disks, vm_disk_fields, &disk) {
        AUTO_FREE char *path = formatted("/simulated/%s", disk.name);

        needs_add(needs, NEED_IMAGE, path, disk.size, "disk '%s'", disk.name);
    }
    return true;
}

static bool check(struct copy *copy, const cJSON *params, struct error *err)
{
    struct simulated_params *said = &self(copy)->params;

    if (!fields_read(simulated_fields, params, said, err))
        return false;
    return cJSON_GetArraySize(said->disks) <= MACHINE_DISKS_MAX ||
           error_set(err, ERROR_REFUSED, "more than %d disks", MACHINE_DISKS_MAX);
}

static void plan(struct copy *copy, struct plan *plan)
{
    plan_say(plan, "make a simulated VM '%s' and its disks", self(copy)->params.name);
}

static bool create(struct copy *copy, struct error *err)
{
    struct simulated *sim = &self(copy)->sim;
    const struct simulated_params *params = &self(copy)->params;
    AUTO_JSON cJSON *fact = fact_new(FACT_MADE);

    simulated_place(sim, "target");
    cJSON_AddStringToObject(fact, "machine_file", sim->machine.path);
    if (!copy->context.note(copy->context.note_arg, fact, err))
        return false;
    snprintf(sim->machine.name, sizeof(sim->machine.name), "%s", params->name);
    snprintf(sim->machine.disks, sizeof(sim->machine.disks), "made");
    snprintf(sim->machine.hang, sizeof(sim->machine.hang), "%s", params->hang);
    sim->machine.flush_ms = params->flush_ms;
    sim->machine.disk_count = (size_t)cJSON_GetArraySize(params->disks);
    return simulated_change(sim, RUN_PAUSED, err);
}

static bool start(struct copy *copy, struct error *err)
{
    (void)err;
    self(copy)->started = true;
    return true;
}

/* The place for our end of lane `name`. NULL: the VM has no such lane. */
static struct simulated_lane **lane_end(struct simulated *sim, const char *name)
{
    if (!strcmp(name, "ram"))
        return &sim->ram;
    if (!strncmp(name, "disk/vd", 7) && name[7] >= 'a' && !name[8] &&
        (size_t)(name[7] - 'a') < sim->machine.disk_count)
        return &sim->disks[name[7] - 'a'];
    return NULL;
}

static int open_lane(struct copy *copy, const char *name, struct error *err)
{
    struct simulated *sim = &self(copy)->sim;
    struct simulated_lane **end = lane_end(sim, name);
    int pair[2];

    if (!end || !self(copy)->started) {
        error_set(err, ERROR_REFUSED, "there is no lane '%s'", name);
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        error_set(err, ERROR_SYSTEM, "cannot make a socket pair: %m");
        return -1;
    }
    simulated_lane_free(*end);
    *end = simulated_lane_new(copy->context.loop, pair[0], err);
    return pair[1];
}

/* Nothing to flush: only take the time that the VM's setting "flush" asks for. */
static bool flush_disks(struct copy *copy, struct error *err)
{
    const struct simulated *sim = &self(copy)->sim;

    return sim->machine.flush_ms == 0 || loop_pause(copy->context.loop, sim->machine.flush_ms, err);
}

static bool ram_has_come(void *arg)
{
    const struct simulated *sim = arg;

    return sim->ram && (simulated_lane_is_final(sim->ram) || stream_ended(sim->ram->stream, NULL));
}

static bool ram_recv(struct copy *copy, struct error *err)
{
    struct simulated *sim = &self(copy)->sim;

    if (!loop_wait(copy->context.loop, ram_has_come, sim, 600000, err))
        return false;
    return simulated_lane_await_final(sim->ram, err);
}

/* Every mirrored disk's FINAL frame must be here: the source sends RAM's own last. */
static bool seal(struct copy *copy, struct error *err)
{
    struct simulated *sim = &self(copy)->sim;

    if (!simulated_hang_at(sim, "seal", err))
        return false;
    for (size_t i = 0; i < sim->machine.disk_count && copy->context.options.mirrors_disks; i++) {
        if (!sim->disks[i] || !simulated_lane_is_final(sim->disks[i]))
            return error_set(err, ERROR_SYSTEM, "disk %zu is not complete", i);
        sim->machine.writes[i] = sim->disks[i]->final;
    }
    sim->machine.complete = true;
    simulated_end_lanes(sim);
    return machine_save(&sim->machine, err);
}

static bool never_ran(struct copy *copy, struct error *err)
{
    struct simulated *sim = &self(copy)->sim;

    simulated_count_at_mark(sim, "looks");
    if (simulated_has_mark(sim, "unknowable"))
        return error_set(err, ERROR_SYSTEM, "whether the simulated VM ran is not known");
    if (!simulated_has_run_since(sim, 0))
        return true;
    if (sim->machine.state == RUN_RUNNING && !simulated_change(sim, RUN_PAUSED, err))
        return false;
    return error_set(err, ERROR_REFUSED, "somebody let the simulated VM's copy run");
}

static bool disks_have_names(struct copy *copy, struct error *err)
{
    return !machine_has_mark(&self(copy)->sim.machine, "nameless") ||
           error_set(err, ERROR_SYSTEM, "a simulated disk has lost its name");
}

static bool before_resume(struct copy *copy, struct error *err)
{
    return !simulated_has_mark(&self(copy)->sim, "unready") ||
           error_set(err, ERROR_SYSTEM, "the simulated network is not ready");
}

static bool resume(struct copy *copy, struct error *err)
{
    struct simulated *sim = &self(copy)->sim;

    if (!sim->machine.complete)
        return error_set(err, ERROR_SYSTEM, "the simulated VM is not complete");
    if (simulated_has_mark(sim, "unresumable"))
        return error_set(err, ERROR_SYSTEM, "the simulated VM cannot run");
    if (simulated_has_mark(sim, "silent") && simulated_change(sim, RUN_RUNNING, err))
        return error_set(err, ERROR_TIMEOUT, "the simulated hypervisor did not answer");
    return simulated_change(sim, RUN_RUNNING, err);
}

static bool destroy(struct copy *copy, struct error *err)
{
    struct simulated *sim = &self(copy)->sim;

    simulated_end_lanes(sim);
    self(copy)->started = false;
    if (!sim->machine.path[0])
        return true;
    return simulated_change(sim, RUN_GONE, err);
}

static bool leave_disks(struct copy *copy, const char *how, struct error *err)
{
    struct simulated *sim = &self(copy)->sim;

    if (!sim->machine.path[0])
        return true;
    snprintf(sim->machine.disks, sizeof(sim->machine.disks), "%s", how);
    return machine_save(&sim->machine, err);
}

static bool disks_discard(struct copy *copy, struct error *err)
{
    return leave_disks(copy, "discarded", err);
}

static bool disks_keep(struct copy *copy, struct error *err)
{
    return leave_disks(copy, "kept", err);
}

static bool runs_again(struct copy *copy, char *who, size_t size)
{
    snprintf(who, size, "a simulated process");
    return machine_has_mark(&self(copy)->sim.machine, "again");
}

static enum run_state state(struct copy *copy)
{
    return self(copy)->sim.machine.state;
}

static bool reattach(struct copy *copy, const cJSON *records, struct error *err)
{
    (void)err;
    simulated_find_again(&self(copy)->sim, records);
    return true;
}

static void free_copy(struct copy *copy)
{
    simulated_end_lanes(&self(copy)->sim);
    free(copy);
}

static const struct copy_ops ops = {
    .free = free_copy,
    .needs = needs,
    .check = check,
    .plan = plan,
    .create = create,
    .start = start,
    .open_lane = open_lane,
    .flush_disks = flush_disks,
    .ram_recv = ram_recv,
    .seal = seal,
    .never_ran = never_ran,
    .disks_have_names = disks_have_names,
    .before_resume = before_resume,
    .resume = resume,
    .state = state,
    .runs_again = runs_again,
    .destroy = destroy,
    .disks_discard = disks_discard,
    .disks_keep = disks_keep,
    .reattach = reattach,
};

struct copy *simulated_copy_new(void)
{
    struct simulated_copy *copy = must(calloc(1, sizeof(*copy)));

    copy->base = (struct copy){ .ops = &ops };
    copy->sim.context = &copy->base.context;
    return &copy->base;
}

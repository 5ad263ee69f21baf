/* The simulated guest. */
#include "simulated.h"

#include "params.h"

#include <inttypes.h>
#include <stdio.h>

#include "xmig/cleanup.h"
#include "xmig/directory.h"
#include "xmig/guest.h"

struct simulated_guest {
    struct guest base;
    struct simulated sim;
    uint64_t paused_ms;
    size_t runs_here; /* how often it had run when it was paused */
};

static struct simulated_guest *self(struct guest *guest)
{
    return (struct simulated_guest *)guest;
}

static void disk_title(size_t i, char name[8])
{
    snprintf(name, 8, "vd%c", (char)('a' + i));
}

static size_t disk_index(const char *disk)
{
    return (size_t)(disk[2] - 'a') % MACHINE_DISKS_MAX;
}

static bool attach(struct guest *guest, const char *vm, struct error *err)
{
    struct simulated *sim = &self(guest)->sim;

    if (!machine_parse(&sim->machine, vm, err))
        return false;
    simulated_place(sim, "source");
    machine_set_state(&sim->machine, RUN_RUNNING);
    return true;
}

static bool describe(struct guest *guest, cJSON *params, struct error *err)
{
    const struct machine *machine = &self(guest)->sim.machine;
    const char *new_name = guest->context.options.new_name;
    AUTO_JSON cJSON *disks = must(cJSON_CreateArray());
    struct simulated_params said = { .memory = machine->ram_size,
                                     .flush_ms = machine->flush_ms,
                                     .disks = disks };
    (void)err;

    snprintf(said.name, sizeof(said.name), "%s", new_name ? new_name : machine->name);
    snprintf(said.hang, sizeof(said.hang), "%s", machine->hang);
    for (size_t i = 0; i < machine->disk_count; i++) {
        char name[8];
        struct vm_disk disk = { .name = name, .size = machine->disk_size };

        disk_title(i, name);
        cJSON_AddItemToArray(disks, fields_new(vm_disk_fields, &disk));
    }
    fields_write(simulated_fields, &said, params);
    return true;
}

static void plan(struct guest *guest, struct plan *plan)
{
    struct simulated *sim = &self(guest)->sim;

    plan_say(plan,
             "move the simulated VM '%s' with %zu disks of %" PRIu64 " bytes and %" PRIu64
             " bytes of RAM",
             sim->machine.name, sim->machine.disk_count, sim->machine.disk_size,
             sim->machine.ram_size);
}

static bool remember(struct guest *guest, cJSON *facts, struct error *err)
{
    struct simulated *sim = &self(guest)->sim;

    cJSON_AddStringToObject(facts, "machine_file", sim->machine.path);
    return directory_make_all(guest->context.state_dir, err) && machine_save(&sim->machine, err);
}

static bool mirror_start(struct guest *guest, const char *disk, const char *path, struct error *err)
{
    struct simulated *sim = &self(guest)->sim;
    int fd = connect_unix(path, err);

    if (fd < 0)
        return false;
    sim->disks[disk_index(disk)] = simulated_lane_new(guest->context.loop, fd, err);
    return sim->disks[disk_index(disk)] != NULL;
}

static bool mirror_state(struct guest *guest, const char *disk, struct mirror_state *state,
                         struct error *err)
{
    struct simulated *sim = &self(guest)->sim;
    struct simulated_lane *lane = sim->disks[disk_index(disk)];

    machine_work(&sim->machine);
    if (!simulated_lane_pump(lane, sim->machine.disk_size, err))
        return false;
    /* The unsent bytes include headers. */
    state->done =
        lane->sent > stream_unsent(lane->stream) ? lane->sent - stream_unsent(lane->stream) : 0;
    state->total = sim->machine.disk_size;
    state->ready = lane->sent == sim->machine.disk_size;
    return true;
}

static void mirror_stop(struct guest *guest, const char *disk)
{
    struct simulated *sim = &self(guest)->sim;

    simulated_lane_free(steal(sim->disks[disk_index(disk)]));
}

static bool drain_mirrors(struct simulated *sim, struct error *err)
{
    if (!simulated_hang_at(sim, "drain", err))
        return false;
    for (size_t i = 0; i < sim->machine.disk_count; i++) {
        char name[8];

        if (!sim->disks[i])
            continue;
        disk_title(i, name);
        if (!simulated_lane_complete(sim->disks[i], sim->machine.disk_size, sim->machine.writes[i],
                                     err))
            return error_prefix(err, "%s", name);
        simulated_lane_free(steal(sim->disks[i]));
    }
    return true;
}

static void tell_ram(struct simulated *sim, const char *stage)
{
    event_emit(&sim->context->events, (struct event){ .kind = EVENT_PROGRESS,
                                                      .stage = stage,
                                                      .subject = "ram",
                                                      .done = sim->ram->sent,
                                                      .total = sim->machine.ram_size });
}

static bool ram_send(struct guest *guest, const char *path, const struct ram_hooks *hooks,
                     struct error *err)
{
    struct simulated *sim = &self(guest)->sim;
    int fd = connect_unix(path, err);

    sim->ram = fd < 0 ? NULL : simulated_lane_new(guest->context.loop, fd, err);
    if (!sim->ram)
        return false;
    while (sim->ram->sent < sim->machine.ram_size) {
        machine_work(&sim->machine);
        if (!simulated_lane_pump(sim->ram, sim->machine.ram_size, err) ||
            !stream_flush(sim->ram->stream, 60000, err))
            return false;
        tell_ram(sim, hooks->stage);
    }
    if (!hooks->pausing(hooks->arg, err))
        return false;
    self(guest)->runs_here = sim->machine.run_count;
    self(guest)->paused_ms = loop_now_ms();
    ram_hooks_paused(hooks);
    if (!simulated_change(sim, RUN_PAUSED, err) || !drain_mirrors(sim, err))
        return false;
    return simulated_lane_complete(sim->ram, sim->machine.ram_size, sim->machine.ram_size, err);
}

/* A simulated disk is a number of writes. */
static uint64_t all_writes(const struct machine *machine)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < machine->disk_count; i++)
        sum += machine->writes[i];
    return sum;
}

static void mark(struct guest *guest, cJSON *fact)
{
    json_add_uint(fact, "writes", all_writes(&self(guest)->sim.machine));
}

static bool is_unwritten(struct guest *guest, const cJSON *fact, struct error *err)
{
    if (all_writes(&self(guest)->sim.machine) == json_uint_or(fact, "writes", UINT64_MAX))
        return true;
    return error_set(err, ERROR_REFUSED, "somebody has written to the simulated disks since");
}

static uint64_t paused_at(struct guest *guest)
{
    return self(guest)->paused_ms;
}

static uint64_t paused_for(struct guest *guest, bool with_ram)
{
    const struct simulated_guest *sim = self(guest);

    (void)with_ram;
    return sim->sim.machine.state == RUN_PAUSED && sim->paused_ms ? loop_now_ms() - sim->paused_ms
                                                                  : 0;
}

/* Marks end or stop the guest, as the guest itself or another program would. */
static enum run_state state(struct guest *guest)
{
    struct simulated *sim = &self(guest)->sim;

    if (simulated_has_mark(sim, "ended")) {
        machine_set_state(&sim->machine, RUN_GONE);
        snprintf(guest->stopped, sizeof(guest->stopped), "it has turned itself off");
    } else if (simulated_has_mark(sim, "stopped") && sim->machine.state != RUN_GONE) {
        machine_set_state(&sim->machine, RUN_PAUSED);
        snprintf(guest->stopped, sizeof(guest->stopped), "somebody has stopped it");
    }
    return sim->machine.state;
}

static bool unchanged(struct guest *guest, struct error *err)
{
    struct simulated *sim = &self(guest)->sim;

    if (!simulated_has_run_since(sim, self(guest)->runs_here))
        return true;
    return error_set(err, ERROR_REFUSED, "somebody let the simulated VM run");
}

static bool resume(struct guest *guest, struct error *err)
{
    enum run_state now = state(guest);

    if (*guest->stopped)
        return true;
    if (now == RUN_GONE)
        return error_set(err, ERROR_SYSTEM, "the simulated VM is gone");
    return simulated_change(&self(guest)->sim, RUN_RUNNING, err);
}

static bool set_fenced(struct guest *guest, bool fenced, struct error *err)
{
    (void)simulated_has_run_since(&self(guest)->sim,
                                  0); /* what somebody has done to it is not undone */
    self(guest)->sim.machine.fenced = fenced;
    return machine_save(&self(guest)->sim.machine, err);
}

static bool nobody_else(struct guest *guest, struct error *err)
{
    return !machine_has_mark(&self(guest)->sim.machine, "another") ||
           error_set(err, ERROR_REFUSED, "another simulated VM is called '%s'",
                     self(guest)->sim.machine.name);
}

static bool fence(struct guest *guest, struct error *err)
{
    if (machine_has_mark(&self(guest)->sim.machine, "unfenceable"))
        return error_set(err, ERROR_SYSTEM, "the simulated VM cannot be fenced");
    return set_fenced(guest, true, err);
}

static bool unfence(struct guest *guest, struct error *err)
{
    return set_fenced(guest, false, err);
}

static bool destroy(struct guest *guest, struct error *err)
{
    return simulated_change(&self(guest)->sim, RUN_GONE, err);
}

static bool runs_again(struct guest *guest, char *who, size_t size)
{
    snprintf(who, size, "a simulated process");
    return machine_has_mark(&self(guest)->sim.machine, "again");
}

static bool reattach(struct guest *guest, const cJSON *records, struct error *err)
{
    (void)err;
    simulated_find_again(&self(guest)->sim, records);
    self(guest)->runs_here = self(guest)->sim.machine.run_count;
    return true;
}

static void free_guest(struct guest *guest)
{
    simulated_end_lanes(&self(guest)->sim);
    free(guest);
}

static const struct mirror_ops mirrors = {
    .start = mirror_start,
    .state = mirror_state,
    .stop = mirror_stop,
};

static const struct guest_ops ops = {
    .free = free_guest,
    .attach = attach,
    .reattach = reattach,
    .describe = describe,
    .plan = plan,
    .remember = remember,
    .mirrors = &mirrors,
    .ram_send = ram_send,
    .mark = mark,
    .is_unwritten = is_unwritten,
    .paused_at = paused_at,
    .paused_for = paused_for,
    .state = state,
    .unchanged = unchanged,
    .resume = resume,
    .fence = fence,
    .unfence = unfence,
    .nobody_else = nobody_else,
    .runs_again = runs_again,
    .destroy = destroy,
};

struct guest *simulated_guest_new(void)
{
    struct simulated_guest *guest = must(calloc(1, sizeof(*guest)));

    guest->base = (struct guest){ .ops = &ops };
    guest->sim.context = &guest->base.context;
    return &guest->base;
}

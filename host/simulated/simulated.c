/* The simulated hypervisor: VMs that are structs. It lets the whole pipeline, its
 * sessions, lanes, journals and commit protocol run where there is nothing to migrate:
 * for `xmig send --simulate`, and for most of the tests.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#include "host/hosts.h"
#include "lane.h"
#include "machine.h"
#include "xmig/cleanup.h"
#include "xmig/directory.h"

struct simulated {
    struct host base;
    struct machine machine;
    const cJSON *params;                   /* target; borrowed */
    struct lane *disks[MACHINE_DISKS_MAX]; /* both sides' ends of "disk/…" */
    struct lane *ram;                      /* … and of "ram" */
    uint64_t paused_ms;
    size_t runs_here; /* source: how often it had run when it was paused */
    bool started;     /* target: the device model is up */
};

static struct simulated *self(struct host *host)
{
    return (struct simulated *)host;
}

static struct host *create(const struct host_context *context)
{
    struct simulated *sim = must(calloc(1, sizeof(*sim)));

    sim->base = (struct host){ .ops = &simulated_host, .context = *context };
    return &sim->base;
}

static void end_lanes(struct simulated *sim)
{
    for (size_t i = 0; i < MACHINE_DISKS_MAX; i++)
        lane_free(steal(sim->disks[i]));
    lane_free(steal(sim->ram));
}

static void free_host(struct host *host)
{
    end_lanes(self(host));
    free(host);
}

static void place(struct simulated *sim, const char *side)
{
    snprintf(sim->machine.path, sizeof(sim->machine.path), "%s/simulated-%s.json",
             sim->base.context.state_dir, side);
}

static void disk_title(size_t i, char name[8])
{
    snprintf(name, 8, "vd%c", (char)('a' + i));
}

static size_t disk_index(const char *disk)
{
    return (size_t)(disk[2] - 'a') % MACHINE_DISKS_MAX;
}

static bool change(struct simulated *sim, enum run_state state, struct error *err)
{
    machine_set_state(&sim->machine, state);
    return machine_save(&sim->machine, err);
}

/* The tests play the other hand: a file in the directory of all migrations. */
static char *mark_path(struct host *host, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/../%s", host->context.state_dir, name) < 0)
        abort();
    return path;
}

static bool has_mark(struct host *host, const char *name)
{
    AUTO_FREE char *path = mark_path(host, name);

    return access(path, F_OK) == 0;
}

/* How often: a byte for each time, where there is such a mark. */
static void count_at_mark(struct host *host, const char *name)
{
    AUTO_FREE char *path = mark_path(host, name);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    if (fd >= 0 && write(fd, ".", 1) < 0)
        abort();
}

/* ---- source ---- */

static bool attach(struct host *host, const char *vm, struct error *err)
{
    struct simulated *sim = self(host);

    if (!machine_parse(&sim->machine, vm, err))
        return false;
    place(sim, "source");
    machine_set_state(&sim->machine, RUN_RUNNING);
    return true;
}

static bool describe(struct host *host, cJSON *params, struct error *err)
{
    struct simulated *sim = self(host);
    const char *new_name = host->context.options.new_name;
    cJSON *disks = cJSON_AddArrayToObject(params, "disks");
    (void)err;

    cJSON_AddStringToObject(params, "name", new_name ? new_name : sim->machine.name);
    json_add_uint(params, "memory", sim->machine.ram_size);
    cJSON_AddStringToObject(params, "hang", sim->machine.hang);
    json_add_uint(params, "flush_ms", sim->machine.flush_ms);
    for (size_t i = 0; i < sim->machine.disk_count; i++) {
        cJSON *disk = must(cJSON_CreateObject());
        char name[8];

        disk_title(i, name);
        cJSON_AddStringToObject(disk, "name", name);
        json_add_uint(disk, "size", sim->machine.disk_size);
        cJSON_AddItemToArray(disks, disk);
    }
    return true;
}

static void plan_send(struct host *host, struct plan *plan)
{
    struct simulated *sim = self(host);

    plan_say(plan,
             "move the simulated VM '%s' with %zu disks of %" PRIu64 " bytes and %" PRIu64
             " bytes of RAM",
             sim->machine.name, sim->machine.disk_count, sim->machine.disk_size,
             sim->machine.ram_size);
}

static bool remember(struct host *host, cJSON *facts, struct error *err)
{
    struct simulated *sim = self(host);

    cJSON_AddStringToObject(facts, "machine_file", sim->machine.path);
    return directory_make_all(host->context.state_dir, err) && machine_save(&sim->machine, err);
}

static bool mirror_start(struct host *host, const char *disk, const char *path, struct error *err)
{
    struct simulated *sim = self(host);
    int fd = connect_unix(path, err);

    if (fd < 0)
        return false;
    sim->disks[disk_index(disk)] = lane_new(host->context.loop, fd, err);
    return sim->disks[disk_index(disk)] != NULL;
}

static bool mirror_state(struct host *host, const char *disk, struct mirror_state *state,
                         struct error *err)
{
    struct simulated *sim = self(host);
    struct lane *lane = sim->disks[disk_index(disk)];

    machine_work(&sim->machine);
    if (!lane_pump(lane, sim->machine.disk_size, err))
        return false;
    /* What is unsent has headers, too. */
    state->done =
        lane->sent > stream_unsent(lane->stream) ? lane->sent - stream_unsent(lane->stream) : 0;
    state->total = sim->machine.disk_size;
    state->ready = lane->sent == sim->machine.disk_size;
    return true;
}

static void mirror_stop(struct host *host, const char *disk)
{
    struct simulated *sim = self(host);

    lane_free(steal(sim->disks[disk_index(disk)]));
}

/* What never answers: until somebody interrupts it. */
static bool hang_at(struct simulated *sim, const char *where, struct error *err)
{
    enum {
        HOUR_MS = 3600000
    };

    return strcmp(sim->machine.hang, where) != 0 ||
           loop_pause(sim->base.context.loop, HOUR_MS, err);
}

static bool drain_mirrors(struct simulated *sim, struct error *err)
{
    if (!hang_at(sim, "drain", err))
        return false;
    for (size_t i = 0; i < sim->machine.disk_count; i++) {
        char name[8];

        if (!sim->disks[i])
            continue;
        disk_title(i, name);
        if (!lane_complete(sim->disks[i], sim->machine.disk_size, sim->machine.writes[i], err))
            return error_prefix(err, "%s", name);
        mirror_stop(&sim->base, name);
    }
    return true;
}

static void tell_ram(struct simulated *sim)
{
    event_emit(&sim->base.context.events, (struct event){ .kind = EVENT_PROGRESS,
                                                          .stage = "ram-stream",
                                                          .subject = "ram",
                                                          .done = sim->ram->sent,
                                                          .total = sim->machine.ram_size });
}

static bool ram_send(struct host *host, const char *path, const struct ram_hooks *hooks,
                     struct error *err)
{
    struct simulated *sim = self(host);
    int fd = connect_unix(path, err);

    sim->ram = fd < 0 ? NULL : lane_new(host->context.loop, fd, err);
    if (!sim->ram)
        return false;
    while (sim->ram->sent < sim->machine.ram_size) {
        machine_work(&sim->machine);
        if (!lane_pump(sim->ram, sim->machine.ram_size, err) ||
            !stream_flush(sim->ram->stream, 60000, err))
            return false;
        tell_ram(sim);
    }
    if (!hooks->pausing(hooks->arg, err))
        return false;
    sim->runs_here = sim->machine.run_count;
    sim->paused_ms = loop_now_ms();
    ram_hooks_paused(hooks);
    if (!change(sim, RUN_PAUSED, err) || !drain_mirrors(sim, err))
        return false;
    return lane_complete(sim->ram, sim->machine.ram_size, sim->machine.ram_size, err);
}

/* A simulated disk is a number of writes. */
static uint64_t all_writes(const struct machine *machine)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < machine->disk_count; i++)
        sum += machine->writes[i];
    return sum;
}

static void source_mark(struct host *host, cJSON *fact)
{
    json_add_uint(fact, "writes", all_writes(&self(host)->machine));
}

static bool source_is_unwritten(struct host *host, const cJSON *fact, struct error *err)
{
    if (all_writes(&self(host)->machine) == json_uint_or(fact, "writes", UINT64_MAX))
        return true;
    return error_set(err, ERROR_REFUSED, "somebody has written to the simulated disks since");
}

static uint64_t paused_at(struct host *host)
{
    return self(host)->paused_ms;
}

static uint64_t paused_for(struct host *host, bool with_ram)
{
    const struct simulated *sim = self(host);

    (void)with_ram;
    return sim->machine.state == RUN_PAUSED && sim->paused_ms ? loop_now_ms() - sim->paused_ms : 0;
}

static enum run_state machine_state(struct host *host)
{
    return self(host)->machine.state;
}

/* What the guest has done by itself, or somebody else to it. */
static enum run_state source_state(struct host *host)
{
    struct simulated *sim = self(host);

    if (has_mark(host, "ended")) {
        machine_set_state(&sim->machine, RUN_GONE);
        snprintf(host->stopped, sizeof(host->stopped), "it has turned itself off");
    } else if (has_mark(host, "stopped") && sim->machine.state != RUN_GONE) {
        machine_set_state(&sim->machine, RUN_PAUSED);
        snprintf(host->stopped, sizeof(host->stopped), "somebody has stopped it");
    }
    return sim->machine.state;
}

/* Another process, or a test, may have had a hand in it. */
static bool has_run_since(struct simulated *sim, size_t runs)
{
    struct machine now = sim->machine;

    if (!machine_load(&now))
        return false;
    sim->machine = now;
    return now.run_count != runs || now.state == RUN_RUNNING;
}

static bool source_unchanged(struct host *host, struct error *err)
{
    struct simulated *sim = self(host);

    if (!has_run_since(sim, sim->runs_here))
        return true;
    return error_set(err, ERROR_REFUSED, "somebody let the simulated VM run");
}

static bool source_resume(struct host *host, struct error *err)
{
    enum run_state state = source_state(host);

    if (*host->stopped)
        return true;
    if (state == RUN_GONE)
        return error_set(err, ERROR_SYSTEM, "the simulated VM is gone");
    return change(self(host), RUN_RUNNING, err);
}

static bool set_fenced(struct host *host, bool fenced, struct error *err)
{
    (void)has_run_since(self(host), 0); /* what somebody has done to it is not undone */
    self(host)->machine.fenced = fenced;
    return machine_save(&self(host)->machine, err);
}

static bool nobody_else(struct host *host, struct error *err)
{
    return !machine_has_mark(&self(host)->machine, "another") ||
           error_set(err, ERROR_REFUSED, "another simulated VM is called '%s'",
                     self(host)->machine.name);
}

static bool source_fence(struct host *host, struct error *err)
{
    if (machine_has_mark(&self(host)->machine, "unfenceable"))
        return error_set(err, ERROR_SYSTEM, "the simulated VM cannot be fenced");
    return set_fenced(host, true, err);
}

static bool source_unfence(struct host *host, struct error *err)
{
    return set_fenced(host, false, err);
}

static bool source_destroy(struct host *host, struct error *err)
{
    return change(self(host), RUN_GONE, err);
}

/* ---- target ---- */

static bool check_target(struct host *host, const cJSON *params, struct error *err)
{
    struct simulated *sim = self(host);

    if (cJSON_GetArraySize(json_array(params, "disks", NULL)) > MACHINE_DISKS_MAX)
        return error_set(err, ERROR_REFUSED, "more than %d disks", MACHINE_DISKS_MAX);
    sim->params = params;
    return true;
}

static void plan_recv(struct host *host, struct plan *plan)
{
    plan_say(plan, "make a simulated VM '%s' and its disks",
             json_string_or(self(host)->params, "name", "?"));
}

static bool create_machine(struct host *host, struct error *err)
{
    struct simulated *sim = self(host);
    AUTO_JSON cJSON *fact = must(cJSON_CreateObject());

    place(sim, "target");
    cJSON_AddStringToObject(fact, "fact", "made");
    cJSON_AddStringToObject(fact, "machine_file", sim->machine.path);
    if (!host->context.note(host->context.note_arg, fact, err))
        return false;
    snprintf(sim->machine.name, sizeof(sim->machine.name), "%s",
             json_string_or(sim->params, "name", "?"));
    snprintf(sim->machine.disks, sizeof(sim->machine.disks), "made");
    snprintf(sim->machine.hang, sizeof(sim->machine.hang), "%s",
             json_string_or(sim->params, "hang", ""));
    sim->machine.flush_ms = json_uint_or(sim->params, "flush_ms", 0);
    sim->machine.disk_count = (size_t)cJSON_GetArraySize(json_array(sim->params, "disks", NULL));
    return change(sim, RUN_PAUSED, err);
}

static bool start_device_model(struct host *host, struct error *err)
{
    (void)err;
    self(host)->started = true;
    return true;
}

/* Where a lane ends. NULL: there is no such lane. */
static struct lane **lane_end(struct simulated *sim, const char *name)
{
    if (!strcmp(name, "ram"))
        return &sim->ram;
    if (!strncmp(name, "disk/vd", 7) && name[7] >= 'a' && !name[8] &&
        (size_t)(name[7] - 'a') < sim->machine.disk_count)
        return &sim->disks[name[7] - 'a'];
    return NULL;
}

static int open_lane(struct host *host, const char *name, struct error *err)
{
    struct simulated *sim = self(host);
    struct lane **end = lane_end(sim, name);
    int pair[2];

    if (!end || !sim->started) {
        error_set(err, ERROR_REFUSED, "there is no lane '%s'", name);
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        error_set(err, ERROR_SYSTEM, "cannot make a socket pair: %m");
        return -1;
    }
    lane_free(*end);
    *end = lane_new(host->context.loop, pair[0], err);
    return pair[1];
}

/* Nothing is on a disk; it takes so long all the same. */
static bool flush_disks(struct host *host, struct error *err)
{
    const struct simulated *sim = self(host);

    return sim->machine.flush_ms == 0 || loop_pause(host->context.loop, sim->machine.flush_ms, err);
}

static bool ram_listen(struct host *host, struct error *err)
{
    (void)host;
    (void)err;
    return true;
}

static bool ram_has_come(void *arg)
{
    const struct simulated *sim = arg;

    return sim->ram && (lane_is_final(sim->ram) || stream_ended(sim->ram->stream, NULL));
}

static bool ram_recv(struct host *host, struct error *err)
{
    struct simulated *sim = self(host);

    if (!loop_wait(host->context.loop, ram_has_come, sim, 600000, err))
        return false;
    return lane_await_final(sim->ram, err);
}

/* All mirrored disks have said their last word before the last of RAM was sent. */
static bool seal(struct host *host, struct error *err)
{
    struct simulated *sim = self(host);

    if (!hang_at(sim, "seal", err))
        return false;
    for (size_t i = 0; i < sim->machine.disk_count && host->context.options.mirrors_disks; i++) {
        if (!sim->disks[i] || !lane_is_final(sim->disks[i]))
            return error_set(err, ERROR_SYSTEM, "disk %zu is not complete", i);
        sim->machine.writes[i] = sim->disks[i]->final;
    }
    sim->machine.complete = true;
    end_lanes(sim);
    return machine_save(&sim->machine, err);
}

static void remember_sealed(struct host *host, cJSON *facts)
{
    (void)host;
    (void)facts;
}

static bool copy_never_ran(struct host *host, struct error *err)
{
    struct simulated *sim = self(host);

    count_at_mark(host, "looks");
    if (has_mark(host, "unknowable"))
        return error_set(err, ERROR_SYSTEM, "whether the simulated VM ran is not known");
    if (!has_run_since(sim, 0))
        return true;
    if (sim->machine.state == RUN_RUNNING && !change(sim, RUN_PAUSED, err))
        return false;
    return error_set(err, ERROR_REFUSED, "somebody let the simulated VM's copy run");
}

static bool disks_have_names(struct host *host, struct error *err)
{
    return !machine_has_mark(&self(host)->machine, "nameless") ||
           error_set(err, ERROR_SYSTEM, "a simulated disk has lost its name");
}

static bool before_resume(struct host *host, struct error *err)
{
    return !has_mark(host, "unready") ||
           error_set(err, ERROR_SYSTEM, "the simulated network is not ready");
}

static bool target_resume(struct host *host, struct error *err)
{
    struct simulated *sim = self(host);

    if (!sim->machine.complete)
        return error_set(err, ERROR_SYSTEM, "the simulated VM is not complete");
    if (has_mark(host, "unresumable"))
        return error_set(err, ERROR_SYSTEM, "the simulated VM cannot run");
    if (has_mark(host, "silent") && change(sim, RUN_RUNNING, err))
        return error_set(err, ERROR_TIMEOUT, "the simulated hypervisor did not answer");
    return change(sim, RUN_RUNNING, err);
}

static void after_resume(struct host *host)
{
    (void)host;
}

static bool runs_again(struct host *host, char *who, size_t size)
{
    snprintf(who, size, "a simulated process");
    return machine_has_mark(&self(host)->machine, "again");
}

static bool target_destroy(struct host *host, struct error *err)
{
    struct simulated *sim = self(host);

    end_lanes(sim);
    sim->started = false;
    if (!sim->machine.path[0])
        return true;
    return change(sim, RUN_GONE, err);
}

static bool leave_disks(struct host *host, const char *how, struct error *err)
{
    struct simulated *sim = self(host);

    if (!sim->machine.path[0])
        return true;
    snprintf(sim->machine.disks, sizeof(sim->machine.disks), "%s", how);
    return machine_save(&sim->machine, err);
}

static bool disks_discard(struct host *host, struct error *err)
{
    return leave_disks(host, "discarded", err);
}

static bool disks_keep(struct host *host, struct error *err)
{
    return leave_disks(host, "kept", err);
}

/* ---- after a crash ---- */

static bool reattach(struct host *host, const cJSON *records, struct error *err)
{
    struct simulated *sim = self(host);
    const cJSON *record;
    (void)err;

    cJSON_ArrayForEach (record, records) {
        const char *path = json_string_or(record, "machine_file", NULL);

        if (path)
            snprintf(sim->machine.path, sizeof(sim->machine.path), "%s", path);
    }
    if (!sim->machine.path[0] || !machine_load(&sim->machine))
        sim->machine.state = RUN_GONE;
    sim->runs_here = sim->machine.run_count;
    return true;
}

const struct host_ops simulated_host = {
    .name = "simulated",
    .made_up = true,
    .summary = "VMs that are only made up, for --simulate",
    .create = create,
    .free = free_host,
    .attach = attach,
    .describe = describe,
    .plan_send = plan_send,
    .remember = remember,
    .mirror_start = mirror_start,
    .mirror_state = mirror_state,
    .mirror_stop = mirror_stop,
    .ram_send = ram_send,
    .source_mark = source_mark,
    .source_is_unwritten = source_is_unwritten,
    .paused_at = paused_at,
    .paused_for = paused_for,
    .source_state = source_state,
    .source_unchanged = source_unchanged,
    .source_resume = source_resume,
    .source_fence = source_fence,
    .source_unfence = source_unfence,
    .nobody_else = nobody_else,
    .source_destroy = source_destroy,
    .check_target = check_target,
    .plan_recv = plan_recv,
    .create_machine = create_machine,
    .start_device_model = start_device_model,
    .open_lane = open_lane,
    .flush_disks = flush_disks,
    .ram_listen = ram_listen,
    .ram_recv = ram_recv,
    .seal = seal,
    .remember_sealed = remember_sealed,
    .copy_never_ran = copy_never_ran,
    .disks_have_names = disks_have_names,
    .before_resume = before_resume,
    .target_resume = target_resume,
    .after_resume = after_resume,
    .target_state = machine_state,
    .runs_again = runs_again,
    .target_destroy = target_destroy,
    .disks_discard = disks_discard,
    .disks_keep = disks_keep,
    .reattach = reattach,
};

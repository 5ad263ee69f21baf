/* Two machines in one process. */
#include "world.h"

#include <signal.h>

#include "tap.h"
#include "tests/unit/helpers.h"
#include "xmig/hypervisor-calls.h"

static const char *const machine_files[] = { "source", "target" };

static char *make_dir(const char *parent, const char *kind, int side)
{
    char *path;

    if (asprintf(&path, "%s/%s%d", parent, kind, side) < 0 || mkdir(path, 0700))
        abort();
    return path;
}

static const char guardians[] = "XMIG_TEST_GUARDIANS"; /* the directory where each leaves a file */

/* guardian_start() starts this very program: it must not run the tests again. */
__attribute__((constructor)) static void be_a_guardian(int argc, char **argv)
{
    const char *dir = getenv(guardians);
    AUTO_FREE char *path = NULL;

    if (argc != 4 || strcmp(argv[1], "guard") != 0)
        return;
    if (dir && asprintf(&path, "%s/%s", dir, argv[3]) > 0)
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    _exit(0);
}

bool world_has_guardian(const struct world *world, enum side side)
{
    AUTO_FREE char *path = NULL;

    if (asprintf(&path, "%s/%s", world->dir, side_name(side)) < 0)
        abort();
    return access(path, F_OK) == 0;
}

void world_init(struct world *world)
{
    const char *where = getenv("XMIG_TEST_DIR");

    signal(SIGPIPE, SIG_IGN); /* as xmig does: a broken connection is an error, not a death */
    *world = (struct world){ .hypervisor = "simulated", .vm = "demo,disk-size=64K,ram=64K" };
    if (asprintf(&world->dir, "%s/xmig-world-XXXXXX", where ? where : "/dev/shm") < 0 ||
        !mkdtemp(world->dir) || setenv(guardians, world->dir, 1))
        abort();
    for (int side = 0; side < 2; side++) {
        world->state_dir[side] = make_dir(world->dir, "s", side);
        world->runtime_dir[side] = make_dir(world->dir, "r", side);
        snprintf(world->identity[side].machine, sizeof(world->identity[side].machine), "machine-%d",
                 side);
        snprintf(world->identity[side].boot, sizeof(world->identity[side].boot), "boot-%d", side);
    }
    world->options = migration_default_options;
    world->options.timing = (struct session_timing){ .alive_ms = 100, .lost_ms = 5000 };
    world->options.lease_ms = 60000;
    world->options.patience_ms = 0;
    world->options.poll_ms = 1;
    world->options.retry_ms = 1;
    world->options.crash_is_simulated = true;
}

static void join_life(struct life *life)
{
    if (life->world)
        pthread_join(life->thread, NULL);
    life->world = NULL;
    if (life->tap)
        tap_end(life->tap);
    life->tap = NULL;
}

void world_join(struct world *world)
{
    for (size_t i = 0; i < world->life_count; i++)
        join_life(&world->lives[i]);
}

void world_join_dead(struct world *world)
{
    for (size_t i = 0; i < world->life_count; i++)
        if (world->lives[i].world && pthread_tryjoin_np(world->lives[i].thread, NULL) == 0)
            world->lives[i].world = NULL;
}

bool world_all_joined(const struct world *world)
{
    for (size_t i = 0; i < world->life_count; i++)
        if (world->lives[i].world)
            return false;
    return true;
}

const struct result *world_received(const struct world *world)
{
    return &world->lives[0].result;
}

void world_done(struct world *world)
{
    world_join(world);
    for (int side = 0; side < 2; side++)
        world_replay(world, (enum side)side);
    remove_all(world->dir);
    for (int side = 0; side < 2; side++) {
        free(world->state_dir[side]);
        free(world->runtime_dir[side]);
    }
}

/* ---- what both tell each other for people to see ---- */

static char *tell_history(void *arg)
{
    (void)arg;
    return must(strdup("{\"type\":\"note\"}\n"));
}

static void hear_history(void *arg, const char *lines)
{
    struct shared *shared = arg;

    snprintf(shared->heard, sizeof(shared->heard), "%s", lines);
}

static void count_comparison(void *arg, const struct session_clock *clock)
{
    struct shared *shared = arg;

    shared->comparisons += clock->here_us >= clock->there_us - clock->round_trip_us &&
                           clock->here_us <= clock->there_us + clock->round_trip_us;
}

static struct session_history shared_history(struct world *world, enum side side)
{
    return (struct session_history){ .tell = tell_history,
                                     .hear = hear_history,
                                     .compare = count_comparison,
                                     .arg = &world->shared[side] };
}

/* ---- reaching the other machine ---- */

static void *receive(void *arg)
{
    struct life *life = arg;
    struct world *world = life->world;
    struct loop *loop = loop_new();
    struct serve_options options = {
        .state_dir = world->state_dir[SIDE_RECV],
        .runtime_dir = world->runtime_dir[SIDE_RECV],
        .identity = &world->identity[SIDE_RECV],
        .journal_hook = world->hook[SIDE_RECV],
        .events = world->events_there,
        .history = shared_history(world, SIDE_RECV),
        .crash_is_simulated = true,
    };

    serve_run(loop, life->fd, life->fd, &options, &life->result);
    loop_free(loop);
    return NULL;
}

/* An older one's hello, and what it says when it has heard ours. No tap: docs/wire-protocol.md is
 * ours. */
static void *answer_otherwise(void *arg)
{
    struct life *life = arg;
    struct loop *loop = loop_new();
    struct session *session =
        session_new(loop, life->fd, life->fd, SIDE_RECV, life->world->options.timing, NULL);
    cJSON *body = must(cJSON_CreateObject());
    AUTO_JSON cJSON *theirs = session_expect(session, "hello", 10000, NULL);

    json_add_uint(body, "protocol", SESSION_PROTOCOL - life->world->older_peer);
    cJSON_AddStringToObject(body, "version", "0.1");
    cJSON_AddStringToObject(body, "machine", life->world->identity[SIDE_RECV].machine);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(body, "features"), cJSON_CreateString("another"));
    cJSON_AddStringToObject(body, "ticket", "00112233445566778899aabbccddeeff");
    if (!theirs || !session_send(session, "hello", body, NULL))
        abort();
    life->result.outcome = OUTCOME_REFUSED;
    cJSON_Delete(session_expect(session, "params", 10000, &life->result.error));
    session_free(session);
    loop_free(loop);
    return NULL;
}

struct joining {
    char *runtime_dir;
    char id[17];
    char ticket[33];
    char *name;
    bool damaged;
    int fd;
};

static void *join_a_lane(void *arg)
{
    struct joining *joining = arg;
    char lost[4];

    if (joining->damaged)
        (void)recv(joining->fd, lost, sizeof(lost), MSG_WAITALL);
    (void)lane_join(joining->runtime_dir, joining->id, joining->ticket, joining->name, joining->fd,
                    joining->fd, false, NULL);
    shutdown(joining->fd, SHUT_RDWR);
    close(joining->fd);
    free(joining->runtime_dir);
    free(joining->name);
    free(joining);
    return NULL;
}

static void start_lane(struct world *world, const char *const words[], int fd)
{
    struct joining *joining = must(calloc(1, sizeof(*joining)));
    pthread_t thread;

    joining->runtime_dir = must(strdup(world->runtime_dir[SIDE_RECV]));
    snprintf(joining->id, sizeof(joining->id), "%s", words[1]);
    snprintf(joining->ticket, sizeof(joining->ticket), "%s", words[2]);
    joining->name = must(strdup(words[3]));
    joining->damaged = world->damaged_lane && !strcmp(world->damaged_lane, words[3]);
    world->compressed_lanes += !strncmp(words[3], "lz4/", 4);
    joining->fd = fd;
    if (pthread_create(&thread, NULL, join_a_lane, joining))
        abort();
    pthread_detach(thread);
}

/* The receiver's new end of a connection with a tap in it. */
static int listen_in(struct world *world, struct life *life, const char *dir, int fd)
{
    static int count;
    AUTO_FREE char *path = NULL;
    int pair[2];

    if (asprintf(&path, "%s/%s-%d", dir, world->id, count++) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        abort();
    life->tap = tap_start(fd, pair[0], path);
    return pair[1];
}

static void start_receiver(struct world *world, int fd)
{
    const char *record = getenv("XMIG_TEST_RECORD");
    bool other = world->older_peer || world->blind_peer;
    struct life *life = &world->lives[world->life_count++];

    if (world->life_count > WORLD_LIVES_MAX)
        abort();
    *life = (struct life){ .world = world };
    life->fd = record && !other ? listen_in(world, life, record, fd) : fd;
    if (pthread_create(&life->thread, NULL, other ? answer_otherwise : receive, life))
        abort();
}

static struct link *fail_to_dial(struct error *err)
{
    error_set(err, ERROR_LOST, "the network is down");
    return NULL;
}

static struct link *dial_anew(struct transport *transport, const char *const words[], int fd,
                              struct error *err)
{
    struct world *world = transport->impl;
    bool is_control = !strcmp(words[0], "recv");
    int theirs;

    world->dials++;
    if (world->unreachable || world->no_new_login ||
        (world->unreachable_after_commit && is_control && world->life_count > 0))
        return fail_to_dial(err);
    theirs = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (is_control)
        start_receiver(world, theirs);
    else
        start_lane(world, words, theirs);
    return link_new(transport->loop, NULL, NULL); /* a thread does the work */
}

/* By the way that the move's first connection has opened. */
static struct link *dial(struct transport *transport, const char *const words[], int fd,
                         struct error *err)
{
    struct world *world = transport->impl;
    bool no_new_login = world->no_new_login;
    struct link *link;

    if (world->way_dies && !strcmp(words[0], "recv") && world->life_count > 0)
        return fail_to_dial(err);
    world->no_new_login = false;
    link = dial_anew(transport, words, fd, err);
    world->no_new_login = no_new_login;
    return link;
}

static const struct transport_ops to_the_other_thread = { .scheme = "thread",
                                                          .dial = dial,
                                                          .dial_anew = dial_anew };

static struct transport *reach(struct world *world, const struct migration *m)
{
    struct transport_options options = { .runtime_dir = m->own_runtime_dir };

    return transport_new_custom(m->loop, &to_the_other_thread, "thread:", world, &options);
}

/* ---- lives ---- */

static void begin_life(struct world *world, struct migration *m, enum side side, struct loop *loop)
{
    migration_init(m, side, loop, &world->options, world->state_dir[side],
                   world->runtime_dir[side]);
    m->identity = world->identity[side];
    m->events = world->events;
    m->history = shared_history(world, side);
    m->journal_hook = world->hook[side];
    m->vm = world->vm;
}

static void fail_locally(struct result *result, const struct error *err)
{
    *result = (struct result){ .outcome = OUTCOME_REFUSED, .error = *err };
}

static void send_it(struct world *world, struct migration *m, struct result *result)
{
    struct vm_context context;
    AUTO_FREE char *refusals = NULL;
    struct error err = { 0 };

    journal_new_id(world->id);
    journal_new_token(m->token);
    if (!migration_set_id(m, world->id, &err))
        abort();
    migration_vm_context(m, &context);
    m->guest = hypervisor_guest(hypervisor_find(world->hypervisor), &context, &err);
    m->transport = reach(world, m);
    if (!guest_attach(m->guest, world->vm, &err) || !migration_connect(m, &err)) {
        fail_locally(result, &err);
        return;
    }
    pipeline_run(m, result);
    refusals = must(cJSON_PrintUnformatted(m->refusals));
    snprintf(world->refusals, sizeof(world->refusals), "%s", refusals);
}

void world_send(struct world *world, struct result *result)
{
    struct loop *loop = loop_new();
    struct migration m;

    begin_life(world, &m, SIDE_SEND, loop);
    send_it(world, &m, result);
    migration_done(&m);
    loop_free(loop);
}

void world_fault(struct world *world, const char *fault)
{
    struct error err = { 0 };

    world->options.fault = (struct fault){ 0 };
    assert_ok(!*fault || fault_parse(fault, &world->options.fault, &err), &err);
}

enum outcome world_send_with(struct world *world, const char *fault, struct result *result)
{
    world_fault(world, fault);
    world_send(world, result);
    world_fault(world, "");
    return result->outcome;
}

static bool reopen(struct world *world, struct migration *m, struct result *result)
{
    enum journal_health health;
    const cJSON *begin;
    struct error err = { 0 };

    if (!migration_set_id(m, world->id, &err))
        abort();
    m->journal = journal_open(m->state_dir, m->id, m->side, &m->identity, &health, &err);
    if (!m->journal) {
        fail_locally(result, &err);
        return false;
    }
    journal_set_hook(m->journal, m->journal_hook);
    begin = journal_find(m->journal, RECORD_BEGIN);
    snprintf(m->token, sizeof(m->token), "%s", json_string_or(begin, "token", ""));
    if (world->wrong_token)
        journal_new_token(m->token);
    snprintf(m->peer_machine, sizeof(m->peer_machine), "%s",
             json_string_or(begin, "peer_machine", ""));
    return true;
}

void world_recover(struct world *world, enum side side, struct recover_options options,
                   struct result *result)
{
    static const struct error called_off = { .kind = ERROR_CANCELLED, .text = "called off" };
    struct loop *loop = loop_new();
    struct migration m;

    begin_life(world, &m, side, loop);
    m.unattended = world->unattended;
    if (world->called_off)
        loop_interrupt(loop, &called_off);
    if (reopen(world, &m, result)) {
        m.transport = reach(world, &m);
        recover_run(&m, &options, result);
    }
    migration_done(&m);
    loop_free(loop);
}

/* ---- looking ---- */

void world_look(const struct world *world, enum side side, struct machine *machine)
{
    *machine = (struct machine){ .state = RUN_GONE };
    snprintf(machine->path, sizeof(machine->path), "%s/%s/simulated-%s.json",
             world->state_dir[side], world->id, machine_files[side]);
    if (!machine_load(machine))
        machine->state = RUN_GONE;
}

enum run_state world_state(const struct world *world, enum side side)
{
    struct machine machine;

    world_look(world, side, &machine);
    return machine.state;
}

void world_mark(const struct world *world, enum side side, const char *name, bool on)
{
    AUTO_FREE char *path = NULL;
    AUTO_CLOSE int fd = -1;

    if (asprintf(&path, "%s/%s", world->state_dir[side], name) < 0)
        abort();
    if (on)
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (on ? fd < 0 : unlink(path))
        abort();
}

cJSON *world_fact(const struct world *world, enum side side, enum fact fact)
{
    enum journal_health health;
    struct journal *journal = journal_open(world->state_dir[side], world->id, side,
                                           &world->identity[side], &health, NULL);
    cJSON *copy = journal ? cJSON_Duplicate(fact_find(journal_records(journal), fact), true) : NULL;

    journal_free(journal);
    return copy;
}

enum record world_last_record(const struct world *world, enum side side)
{
    enum journal_health health;
    struct journal *journal = journal_open(world->state_dir[side], world->id, side,
                                           &world->identity[side], &health, NULL);
    enum record last = journal ? journal_last(journal) : RECORD_NONE;

    journal_free(journal);
    return last;
}

static bool model_permits(const char *side, const char *last, const char *next)
{
    FILE *list = fopen(SOURCE_DIR "/tests/model/transitions.txt", "r");
    char line[256], want[128];
    bool found = false;

    if (!list)
        abort();
    snprintf(want, sizeof(want), "%s %s %s\n", side, last, next);
    while (!found && fgets(line, sizeof(line), list))
        found = !strcmp(line, want);
    fclose(list);
    return found;
}

void world_replay(const struct world *world, enum side side)
{
    enum journal_health health;
    struct journal *journal = journal_open(world->state_dir[side], world->id, side,
                                           &world->identity[side], &health, NULL);
    const cJSON *records = journal ? journal_records(journal) : NULL;
    const char *last = "NONE";
    const cJSON *record;

    assert_true(journal || health == JOURNAL_MISSING);
    cJSON_ArrayForEach (record, records) {
        const char *next = json_string_or(record, "record", "?");

        if (!strcmp(next, "NOTE"))
            continue;
        if (!model_permits(side_name(side), last, next))
            fail_msg("%s: the model does not permit %s after %s", side_name(side), next, last);
        last = next;
    }
    journal_free(journal);
}

void world_lose_journal(struct world *world, enum side side)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s/%s.journal", world->state_dir[side], world->id,
             side_name(side));
    if (unlink(path))
        abort();
}

void world_reset(struct world *world, enum side side)
{
    struct machine machine;

    world_look(world, side, &machine);
    machine_set_state(&machine, RUN_GONE);
    if (!machine_save(&machine, NULL))
        abort();
    snprintf(world->identity[side].boot, sizeof(world->identity[side].boot), "another-boot");
}

static bool dies_before_aborted(void *arg, enum record record, bool written)
{
    bool *dead = arg;

    (void)written;
    *dead = *dead || record == RECORD_ABORTED;
    return !*dead;
}

void world_lose_all_but_the_copy(struct world *world)
{
    struct result result;
    bool dead = false;

    world->hook[SIDE_SEND] = (struct journal_hook){ dies_before_aborted, &dead };
    world_send_with(world, "PREPARED:after:recv:crash", &result);
    world_join(world);
    world->hook[SIDE_SEND] = (struct journal_hook){ 0 };
    world_reset(world, SIDE_SEND);
}

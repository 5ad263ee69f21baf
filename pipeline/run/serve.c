/* `xmig recv`: one peer, which moves a VM here or asks for a verdict. */
#include "xmig/commit.h"
#include "xmig/run.h"

#include <fcntl.h>
#include <stdio.h>

#include "pipeline/handshake.h"
#include "pipeline.h"
#include "pipeline/commit/reopen.h"
#include "pipeline/status-socket.h"
#include "pipeline/commit/verdict.h"
#include "xmig/cleanup.h"
#include "xmig/stage.h"
#include "xmig/hypervisor-calls.h"

struct serving {
    struct migration m;
    struct migration_options options;
    const struct serve_options *asked;
    const char *without[MIGRATION_STAGES_MAX + 1];
    int spare_in, spare_out; /* the connection again, to hand it to a living receiver */
};

static bool sane(uint64_t value, uint64_t least, uint64_t most)
{
    return value >= least && value <= most;
}

/* The sender's command line, as far as it concerns us. */
static bool take_options(struct serving *serving, const cJSON *hello, struct error *err)
{
    enum {
        HOUR_MS = 3600000
    };
    struct migration_options *options = &serving->options;
    const char *fault = json_string_or(hello, "fault", NULL);
    uint64_t alive_ms = json_uint_or(hello, "alive_ms", options->timing.alive_ms);
    uint64_t lost_ms = json_uint_or(hello, "lost_ms", options->timing.lost_ms);

    if (!sane(alive_ms, 1, HOUR_MS) || !sane(lost_ms, alive_ms, HOUR_MS))
        return error_set(err, ERROR_PROTOCOL, "the sender's keep-alive of %llu ms makes no sense",
                         (unsigned long long)alive_ms);
    options->timing = (struct session_timing){ alive_ms, lost_ms };
    session_set_timing(serving->m.peer, options->timing);
    options->lease_ms = json_uint_or(hello, "lease_ms", options->lease_ms);
    options->dry_run = json_true(hello, "dry_run");
    options->guardian = json_true(hello, "guardian");
    return !fault || fault_parse(fault, &options->fault, err);
}

static bool names_stage(const cJSON *names, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, names) {
        if (cJSON_IsString(item) && !strcmp(item->valuestring, name))
            return true;
    }
    return false;
}

/* Both sides must walk the same list: what the sender leaves out, we leave out. */
static bool take_stages(struct serving *serving, const cJSON *hello, struct error *err)
{
    const cJSON *names = json_array(hello, "stages", err);
    const cJSON *item;
    size_t out = 0;

    if (!names)
        return false;
    cJSON_ArrayForEach (item, names) {
        if (!cJSON_IsString(item) || !stage_find(item->valuestring))
            return error_set(err, ERROR_REFUSED,
                             "this xmig has no stage '%s': it is older than the sender's",
                             cJSON_IsString(item) ? item->valuestring : "?");
    }
    for (const struct stage *const *stage = stage_catalog; *stage; stage++) {
        if (names_stage(names, (*stage)->name))
            continue;
        if (!(*stage)->optional)
            return error_set(err, ERROR_REFUSED, "the sender leaves out the stage '%s'",
                             (*stage)->name);
        serving->without[out++] = (*stage)->name;
    }
    serving->options.without = serving->without;
    serving->options.vm.mirrors_disks = out == 0;
    return true;
}

static bool take_host(struct serving *serving, const cJSON *hello, struct error *err)
{
    const char *name = json_string(hello, "host", err);
    const struct hypervisor *hypervisor = name ? hypervisor_find(name) : NULL;
    struct migration *m = &serving->m;
    struct vm_context context;

    if (!name)
        return false;
    if (!hypervisor)
        return error_set(err, ERROR_REFUSED,
                         "this xmig cannot receive a '%s' VM: it was built without", name);
    if (!hypervisor_available(hypervisor, err) ||
        !(hypervisor->made_up || identity_check(&m->identity, err)))
        return false;
    migration_vm_context(m, &context);
    m->copy = hypervisor_copy(hypervisor, &context, err);
    return m->copy != NULL;
}

static int open_lane(void *arg, const char *name, struct error *err)
{
    struct migration *m = arg;

    return copy_open_lane(m->copy, name, err);
}

/* A newer connection takes an unanswered one's place. */
static void new_control(void *arg, int in_fd, int out_fd)
{
    struct migration *m = arg;

    for (int i = 0; i < 2; i++)
        cleanup_close(&m->pending_control[i]);
    m->pending_control[0] = in_fd;
    m->pending_control[1] = out_fd;
}

static cJSON *carried(void *arg)
{
    const struct migration *m = arg;

    return receiver_door_carried(m->door);
}

static void keep_carried(const struct migration *m)
{
    AUTO_JSON cJSON *progress = m->history.carried && !m->crashed ? carried((void *)m) : NULL;

    if (progress)
        m->history.carried(m->history.arg, progress);
}

static void limit_lanes(void *arg, uint64_t bytes_per_s)
{
    const struct migration *m = arg;

    receiver_door_limit_lanes(m->door, bytes_per_s);
}

static bool open_door(struct migration *m, const char *ticket, struct error *err)
{
    struct receiver_door_ops ops = { open_lane, new_control, m };

    m->door = receiver_door_new(m->loop, m->runtime_dir, m->id, ticket, ops, err);
    if (m->door && m->policy && policy_bandwidth(m->policy))
        receiver_door_limit(m->door, policy_bandwidth(m->policy));
    m->status = m->door ? status_listen(m, err) : NULL;
    return m->status != NULL;
}

/* Queries that came in while there was no verdict yet. */
static void answer_pending(struct migration *m, struct result *result)
{
    while (m->pending_control[0] >= 0 && !m->crashed) {
        int in_fd = m->pending_control[0], out_fd = m->pending_control[1];
        struct error err = { 0 };
        struct query query;

        m->pending_control[0] = m->pending_control[1] = -1;
        loop_clear_interruption(m->loop);
        session_free(m->peer);
        m->peer = NULL;
        if (!handshake_answer_query(m, in_fd, out_fd, &query, &err))
            continue;
        session_mute(m->peer);
        if (query.look)
            verdict_show(m);
        else
            verdict_answer(m, &result->error);
        session_goodbye(m->peer);
    }
}

/* As the sender calls itself, and as it was seen. */
static void take_source(struct serving *serving, const cJSON *hello)
{
    const char *from = json_string_or(hello, "from", NULL);
    const char *address = serving->asked->peer_address;
    char *reached = serving->m.peer_reached;
    size_t size = sizeof(serving->m.peer_reached);

    if (from && !*from)
        snprintf(reached, size, "this host");
    else if (from && address)
        snprintf(reached, size, "%.80s (%.40s)", from, address);
    else if (from || address)
        snprintf(reached, size, "%s", from ? from : address);
}

/* A sender invents its ID; one that is known already would be given the other's directories. */
static bool id_is_new(struct migration *m, struct error *err)
{
    enum journal_health health;

    journal_free(journal_open(m->state_dir, m->id, SIDE_RECV, &m->identity, &health, NULL));
    return health == JOURNAL_MISSING ||
           error_set(err, ERROR_REFUSED, "a migration with the ID %s is known here already", m->id);
}

static void serve_move(struct serving *serving, const cJSON *hello, struct result *result)
{
    struct migration *m = &serving->m;
    char ticket[33];

    close(steal_fd(&serving->spare_in));
    close(steal_fd(&serving->spare_out));
    journal_new_token(ticket);
    snprintf(m->peer_machine, sizeof(m->peer_machine), "%s", json_string_or(hello, "machine", "?"));
    take_source(serving, hello);
    if ((m->policy && !policy_applies(m->policy, &result->error)) ||
        !id_is_new(m, &result->error) || !take_options(serving, hello, &result->error) ||
        !take_stages(serving, hello, &result->error) ||
        !take_host(serving, hello, &result->error) || !open_door(m, ticket, &result->error)) {
        session_abort(m->peer, &result->error);
        session_goodbye(m->peer);
        return;
    }
    pipeline_choose_stages(m);
    session_set_stations(m->peer, m->stations);
    if (!handshake_reply(m, ticket, &result->error))
        return;
    handshake_share(m, hello);
    session_carry(m->peer, (struct session_lanes){ carried, limit_lanes, m });
    pipeline_run(m, result);
    keep_carried(m);
    answer_pending(m, result);
}

static void say(struct migration *m, const char *state, const struct error *why)
{
    cJSON *body = json_new("state", state);

    cJSON_AddStringToObject(body, "text", why->text);
    (void)session_send(m->peer, "verdict", body, NULL);
}

/* The process that began this migration is alive: it answers. */
static bool hand_over(struct serving *serving, uint64_t timeout_ms, struct error *err)
{
    struct migration *m = &serving->m;
    int in_fd = steal_fd(&serving->spare_in);
    int out_fd = steal_fd(&serving->spare_out);
    bool ok;

    session_free(m->peer);
    m->peer = NULL;
    /* The loop lets go of the descriptors before somebody else reads them. */
    (void)loop_pause(m->loop, 1, NULL);
    ok = receiver_door_hand_over(m->runtime_dir, m->id, in_fd, out_fd, timeout_ms, err);
    if (ok) {
        close(in_fd);
        close(out_fd);
    } else {
        serving->spare_in = in_fd;
        serving->spare_out = out_fd;
    }
    return ok;
}

/* A receiver that is about to end has no door any more, and one that begins has none yet. Half of
 * what makes us lost to who asks is left for the answer: nothing is said to it meanwhile.
 */
static bool reach_owner(struct serving *serving)
{
    enum {
        AGAIN_MS = 50
    };
    struct migration *m = &serving->m;
    uint64_t until_ms = loop_now_ms() + m->options->timing.lost_ms / 2;
    uint64_t now_ms = loop_now_ms();
    struct error unreachable;

    do {
        unreachable = (struct error){ 0 };
        if (hand_over(serving, until_ms - now_ms, &unreachable))
            return true;
        now_ms = loop_now_ms();
    } while (unreachable.kind == ERROR_LOST && now_ms < until_ms &&
             journal_refresh(m->journal, NULL) && reopen_owner_works(m) &&
             !reopen_await_owner(m, AGAIN_MS));
    return false;
}

/* A look leaves the migration to whom it belongs, dead or silent. */
static void show(struct migration *m, struct result *result)
{
    if (reopen_host(m, &result->error))
        verdict_show(m);
    else
        say(m, "wait", &result->error);
    session_goodbye(m->peer);
}

/* Act in the owner's place, unless there is nothing left to do. */
static bool become_owner(struct migration *m, struct error *err)
{
    char ticket[33];

    if (!journal_refresh(m->journal, err))
        return false;
    if (journal_last(m->journal) == RECORD_CLOSED)
        return reopen_host(m, err);
    journal_new_token(ticket);
    return reopen_end_owner(m, err) && reopen_as_owner(m, err) && reopen_host(m, err) &&
           open_door(m, ticket, err);
}

/* The receiver does not answer, or is dead: act in its place, from its journal. */
static void take_over(struct serving *serving, struct result *result)
{
    struct migration *m = &serving->m;
    struct query query;

    if (!handshake_answer_query(m, steal_fd(&serving->spare_in), steal_fd(&serving->spare_out),
                                &query, &result->error))
        return;
    session_mute(m->peer);
    if (query.look) {
        show(m, result);
        return;
    }
    m->give_up_knowingly = query.back;
    query.committed &= !query.back;
    if (!become_owner(m, &result->error)) {
        say(m, "wait", &result->error);
        return;
    }
    serving->options.lease_ms =
        json_uint_or(journal_find(m->journal, RECORD_BEGIN), "lease_ms", serving->options.lease_ms);
    if (journal_last(m->journal) == RECORD_PREPARED && query.committed) {
        (void)verdict_never_ran(m, NULL);
        if (verdict_copy_is_ready(m))
            verdict_say_prepared(m);
    }
    m->verdict = VERDICT_OPEN;
    if (verdict_go_on(m, query.committed, &result->error))
        error_clear(&result->error);
    if (result->error.kind == ERROR_CRASH) {
        m->crashed = true;
        return;
    }
    verdict_answer(m, &result->error);
    if (m->peer)
        session_goodbye(m->peer);
    answer_pending(m, result);
    if (m->verdict == VERDICT_TARGET)
        verdict_settle_in(m);
}

static bool knows_token(const struct migration *m, const cJSON *hello, struct error *err)
{
    const cJSON *begin = journal_find(m->journal, RECORD_BEGIN);

    if (!strcmp(json_string_or(begin, "token", ""), json_string_or(hello, "token", "-")))
        return true;
    return error_set(err, ERROR_REFUSED, "the question about %s came without its token", m->id);
}

static void serve_query(struct serving *serving, const cJSON *hello, struct result *result)
{
    struct migration *m = &serving->m;
    enum journal_health health;

    result->outcome = OUTCOME_DONE;
    if (!take_options(serving, hello, &result->error))
        return;
    m->journal =
        journal_open(m->state_dir, m->id, SIDE_RECV, &m->identity, &health, &result->error);
    if (!m->journal || !knows_token(m, hello, &result->error)) {
        /* R5: absence proves nothing. */
        struct query query;
        struct error unheard = { 0 };

        session_free(m->peer);
        m->peer = NULL;
        m->history = (struct session_history){ 0 }; /* a stranger hears none */
        if (handshake_answer_query(m, steal_fd(&serving->spare_in), steal_fd(&serving->spare_out),
                                   &query, &unheard)) {
            say(m, "unknown", &result->error);
            session_goodbye(m->peer);
        }
        return;
    }
    journal_set_hook(m->journal, m->journal_hook);
    if (!reach_owner(serving))
        take_over(serving, result);
}

static void serve(struct serving *serving, struct result *result)
{
    struct migration *m = &serving->m;
    AUTO_JSON cJSON *hello = handshake_hear(m, &result->error);

    result->outcome = OUTCOME_REFUSED;
    if (!hello || !migration_set_id(m, json_string_or(hello, "id", ""), &result->error)) {
        session_abort(m->peer, &result->error);
        return;
    }
    snprintf(m->token, sizeof(m->token), "%s", json_string_or(hello, "token", ""));
    if (serving->asked->named)
        serving->asked->named(serving->asked->named_arg, m->id, hello);
    if (!strcmp(json_string_or(hello, "intent", ""), "query"))
        serve_query(serving, hello, result);
    else
        serve_move(serving, hello, result);
}

static int duplicate(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

void serve_run(struct loop *loop, int in_fd, int out_fd, const struct serve_options *options,
               struct result *result)
{
    struct serving serving = { .options = migration_default_options, .asked = options };
    struct migration *m = &serving.m;

    *result = (struct result){ .outcome = OUTCOME_LOCAL_ERROR };
    serving.options.crash_is_simulated = options->crash_is_simulated;
    migration_init(m, SIDE_RECV, loop, &serving.options, options->state_dir, options->runtime_dir);
    m->events = options->events;
    m->history = options->history;
    m->policy = options->policy;
    m->journal_hook = options->journal_hook;
    serving.spare_in = duplicate(in_fd);
    serving.spare_out = duplicate(out_fd);
    if (options->identity)
        m->identity = *options->identity;
    if (options->identity || identity_read(&m->identity, &result->error))
        m->peer =
            session_new(loop, in_fd, out_fd, SIDE_RECV, serving.options.timing, &result->error);
    if (m->peer)
        serve(&serving, result);
    cleanup_close(&serving.spare_in);
    cleanup_close(&serving.spare_out);
    result->crashed = m->crashed;
    migration_done(m);
}

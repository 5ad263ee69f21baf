/* The pipeline: check all, run each stage in step with the peer, finish; or undo
 * backwards; or, while the verdict is open, leave everything as it is.
 */
#include "pipeline.h"

#include <stdio.h>

#include "checks.h"
#include "pipeline/commit/recover.h"
#include "pipeline/commit/guardian.h"
#include "pipeline/commit/started-again.h"
#include "pipeline/status-socket.h"
#include "pipeline/time-limits.h"
#include "pipeline/commit/verdict.h"
#include "xmig/cleanup.h"
#include "xmig/stage.h"
#include "xmig/hypervisor.h"
#include "xmig/run.h"
#include "xmig/facts.h"

static bool left_out(const struct migration *m, const char *name)
{
    for (const char *const *without = m->options->without; without && *without; without++)
        if (!strcmp(*without, name))
            return true;
    return false;
}

void pipeline_choose_stages(struct migration *m)
{
    m->stage_count = 0;
    for (const struct stage *const *stage = stage_catalog; *stage; stage++)
        if (!left_out(m, (*stage)->name))
            m->stages[m->stage_count++] = *stage;
    for (size_t i = 0; i < m->stage_count; i++) {
        m->states[i] = must(calloc(1, m->stages[i]->state_size + 1));
        m->stations[i] = (struct session_station){ m->stages[i]->name, m->stages[i]->messages };
    }
    m->stations[m->stage_count] = (struct session_station){ NULL, NULL };
}

static bool add_source(struct migration *m, cJSON *facts, struct error *err)
{
    fact_add(facts, FACT_SOURCE);
    cJSON_AddStringToObject(facts, "source_vm", m->vm);
    cJSON_AddStringToObject(facts, "dest", m->transport->dest);
    if (m->transport->options.rsh)
        cJSON_AddStringToObject(facts, "rsh", m->transport->options.rsh);
    if (m->transport->options.tls)
        cJSON_AddItemToObject(facts, "tls", cJSON_Duplicate(m->transport->options.tls, true));
    if (m->transport->options.remote_path)
        cJSON_AddStringToObject(facts, "remote_path", m->transport->options.remote_path);
    if (m->options->fence_command)
        cJSON_AddStringToObject(facts, "fence_command", m->options->fence_command);
    if (m->options->on_done)
        cJSON_AddStringToObject(facts, "on_done", m->options->on_done);
    return guest_remember(m->guest, facts, err);
}

static void start_guardian(struct migration *m)
{
    struct error err = { 0 };

    if (m->options->guardian && !guardian_start(m, &err))
        event_say(&m->events, EVENT_WARNING, NULL, "no guardian watches over this: %s", err.text);
}

/* The first record has everything that recover needs to find the rest: we may die right after it.
 */
static bool begin_journal(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *facts = json_new("token", m->token);

    cJSON_AddStringToObject(facts, "host",
                            (m->guest ? m->guest->hypervisor : m->copy->hypervisor)->name);
    cJSON_AddStringToObject(facts, "vm", json_string_or(m->params, "name", m->vm ? m->vm : "?"));
    cJSON_AddStringToObject(facts, "peer_machine", m->peer_machine);
    json_add_uint(facts, "process_started", process_start_time(getpid()));
    cJSON_AddBoolToObject(facts, "mirrors_disks", m->options->vm.mirrors_disks);
    json_add_uint(facts, "lease_ms", m->options->lease_ms);
    if (m->peer_reached[0])
        cJSON_AddStringToObject(facts, "source_host", m->peer_reached);
    if (m->side == SIDE_SEND && !add_source(m, facts, err))
        return false;
    if (!fault_at(m, record_name(RECORD_BEGIN), FAULT_BEFORE, err))
        return false;
    m->journal = journal_create(m->state_dir, m->id, m->side, &m->identity, facts, err);
    if (!m->journal)
        return false;
    journal_set_hook(m->journal, m->journal_hook);
    start_guardian(m);
    return fault_at(m, record_name(RECORD_BEGIN), FAULT_AFTER, err);
}

static bool lane_broke(void *arg)
{
    const struct migration *m = arg;

    return !transport_lanes_ok(m->transport, NULL);
}

/* Of a lane that broke the hypervisor sees only an end, and may see it first. */
static void add_lanes_reason(struct migration *m, struct error *err)
{
    enum {
        LANE_TELLS_MS = 100
    };
    struct error why = { 0 };

    if (m->side != SIDE_SEND || (err->kind != ERROR_LOST && err->kind != ERROR_SYSTEM))
        return;
    if (!m->paused_ms) /* the guest does not wait for a text */
        (void)loop_wait(m->loop, lane_broke, m, LANE_TELLS_MS, NULL);
    if (!transport_lanes_ok(m->transport, &why) && !strstr(err->text, why.text))
        error_append(err, "; %s", why.text);
}

static bool run_half(struct migration *m, size_t i, struct error *err)
{
    const struct stage *stage = m->stages[i];
    const struct stage_half *half = half_of(m, stage);

    if (!fault_at(m, stage->name, FAULT_BEGIN, err))
        return false;
    if (half->run && !half->run(m, m->states[i], err)) {
        add_lanes_reason(m, err);
        return error_prefix(err, "%s", stage->name);
    }
    return fault_at(m, stage->name, FAULT_END, err);
}

/* Once the guest runs at the target, no failure of the conversation matters any more. */
static bool meet_peer(struct migration *m, const char *stage, struct error *err)
{
    struct error why = { 0 };

    if (m->conversing_anew)
        return true;
    if (session_done(m->peer, stage, BARRIER_MS, &why))
        return true;
    if (m->verdict == VERDICT_TARGET) {
        event_say(&m->events, EVENT_DEBUG, stage, "%s", why.text);
        return true;
    }
    *err = why;
    return false;
}

static bool run_stage(struct migration *m, size_t i, struct error *err)
{
    const char *name = m->stages[i]->name;
    uint64_t begun_ms = loop_now_ms();

    m->at = name;
    m->entered = i + 1;
    event_emit(&m->events, (struct event){ .kind = EVENT_STAGE_BEGIN, .stage = name });
    if (!run_half(m, i, err) || !meet_peer(m, name, err))
        return false;
    event_emit(&m->events, (struct event){ .kind = EVENT_STAGE_END,
                                           .stage = name,
                                           .elapsed_ms = loop_now_ms() - begun_ms });
    return true;
}

static bool run_stages(struct migration *m, struct error *err)
{
    for (size_t i = 0; i < m->stage_count; i++) {
        if (!run_stage(m, i, err))
            return false;
        m->until_reached = m->options->until && !strcmp(m->options->until, m->stages[i]->name);
        if (m->until_reached)
            return error_set(err, ERROR_CANCELLED, "stopped after %s, as asked by --until",
                             m->stages[i]->name);
    }
    return true;
}

/* ---- the three ways out ---- */

/* Backwards, over every stage whose run was entered. False: something is left over. */
static bool undo_stages(struct migration *m)
{
    bool clean = true;

    for (size_t i = m->entered; i-- > 0;) {
        const struct stage *stage = m->stages[i];
        const struct stage_half *half = half_of(m, stage);
        struct error err = { 0 };

        m->at = stage->name;
        event_emit(&m->events, (struct event){ .kind = EVENT_UNDO, .stage = stage->name });
        if ((half->undo && !half->undo(m, m->states[i], &err)) ||
            !fault_at(m, stage->name, FAULT_UNDO, &err)) {
            if (err.kind == ERROR_CRASH)
                m->crashed = true;
            if (m->crashed)
                return false;
            event_say(&m->events, EVENT_WARNING, stage->name, "not undone: %s", err.text);
            clean = false;
        }
    }
    return clean;
}

/* Backwards, too: what comes last has most to do with a guest that has just begun to run. */
static bool finish_stages(struct migration *m)
{
    bool clean = true;

    for (size_t i = m->entered; i-- > 0;) {
        const struct stage *stage = m->stages[i];
        const struct stage_half *half = half_of(m, stage);
        struct error err = { 0 };

        m->at = stage->name;
        if ((half->finish && !half->finish(m, m->states[i], &err)) ||
            !fault_at(m, stage->name, FAULT_FINISH, &err)) {
            if (err.kind == ERROR_CRASH)
                m->crashed = true;
            if (m->crashed)
                return false;
            event_say(&m->events, EVENT_WARNING, stage->name, "%s", err.text);
            clean = false;
        }
    }
    return clean;
}

static void leave_stages(struct migration *m)
{
    for (size_t i = m->entered; i-- > 0;) {
        const struct stage_half *half = half_of(m, m->stages[i]);

        if (half->leave)
            half->leave(m, m->states[i]);
    }
}

static void close_journal(struct migration *m)
{
    struct error err = { 0 };

    if (!m->journal || promise_record(m, RECORD_CLOSED, NULL, &err))
        return;
    if (err.kind == ERROR_CRASH)
        m->crashed = true;
    event_say(&m->events, EVENT_WARNING, NULL, "%s", err.text);
}

/* R2: after PAUSING the guest runs again only after ABORTED; and with shared images (R7),
 * or when ABORTED cannot be written, only when the receiver has proven that it gave up.
 */
static bool may_run_again(struct migration *m, const struct error *why, struct error *err)
{
    AUTO_JSON cJSON *facts = must(cJSON_CreateObject());
    enum record last = m->journal ? journal_last(m->journal) : RECORD_NONE;
    struct error problem = { 0 };
    bool aborted;

    cJSON_AddStringToObject(facts, "why", why->text);
    if (last == RECORD_PROOF || last == RECORD_COMMIT)
        return true; /* it has given the guest back; COMMIT: that could not be written */
    if (last == RECORD_NONE) {
        if (m->peer)
            session_abort(m->peer, why);
        return true;
    }
    if (last == RECORD_PAUSING && m->heard_ready && verdict_hear_ran(m, why, err))
        return false;
    aborted = last == RECORD_ABORTED || promise_record(m, RECORD_ABORTED, facts, &problem);
    if (problem.kind == ERROR_CRASH) {
        m->crashed = true;
        return false;
    }
    if (m->peer && !m->heard_ready)
        session_abort(m->peer, why);
    if (last != RECORD_PAUSING || (aborted && m->options->vm.mirrors_disks))
        return true;
    return verdict_hear_returned(m, err) || (!aborted && error_prefix(err, "%s", problem.text));
}

/* Where the guest is after a rollback, and so the exit status. */
static enum outcome outcome_at_source(const struct migration *m, const struct result *result,
                                      bool clean)
{
    if (m->contested)
        return OUTCOME_UNDECIDED;
    if (!m->journal && result->state != RUN_GONE)
        return result->error.kind == ERROR_REFUSED ? OUTCOME_REFUSED : OUTCOME_LOCAL_ERROR;
    switch (result->state) {
    case RUN_RUNNING:
        return m->until_reached && clean ? OUTCOME_DONE : OUTCOME_ROLLED_BACK;
    case RUN_GONE:
        return OUTCOME_NOWHERE;
    case RUN_PAUSED:
    case RUN_UNKNOWN:
        break;
    }
    return OUTCOME_PAUSED;
}

/* The guest is here for good: tell the receiver, which need not wait for us. Close our journal only
 * after its answer: a closed one is not asked about what the target has left (tests/model).
 */
static void part_from_receiver(struct migration *m, enum run_state state, bool clean)
{
    struct error err = { 0 };

    if (!verdict_report(m, state == RUN_RUNNING, &err)) {
        event_say(
            &m->events, EVENT_WARNING, NULL,
            "what the target did with its copy is not known (%s); %s'xmig recover %s' settles "
            "it",
            err.text, m->options->guardian ? "the guardian, or " : "", m->id);
    } else if (clean && (state == RUN_RUNNING || state == RUN_GONE || *m->guest->stopped)) {
        close_journal(m);
    }
}

/* The guest's process has ended after the pause began, so the target's copy may be all that is
 * left. Look, before the target is told to drop it.
 */
static bool is_left_to_a_person(struct migration *m, struct result *result)
{
    static const struct recover_options nothing_chosen = { 0 };
    struct result found = { 0 };

    /* Earlier there is no time: a guest that reboots needs its disks, which the mirrors keep. */
    if (!m->journal || journal_last(m->journal) != RECORD_PAUSING)
        return false;
    found.state = guest_state(m->guest);
    if (found.state != RUN_GONE || started_again(m, &found) ||
        !recover_choice(m, &nothing_chosen, &found))
        return false;
    leave_stages(m);
    error_prefix(&result->error, "%s", found.error.text);
    result->outcome = found.outcome;
    result->state = found.state;
    result->choice = found.choice;
    return true;
}

static void leave(struct migration *m, struct result *result)
{
    leave_stages(m);
    result->outcome = m->verdict == VERDICT_NOWHERE ? OUTCOME_NOWHERE : OUTCOME_UNDECIDED;
}

static void roll_back_sender(struct migration *m, struct result *result)
{
    struct error err = { 0 };
    bool clean;

    if (is_left_to_a_person(m, result))
        return;
    if (!may_run_again(m, &result->error, &err)) {
        if (m->crashed)
            return;
        leave_stages(m);
        error_prefix(&result->error, "%s", err.text);
        result->outcome = m->verdict == VERDICT_OPEN ? OUTCOME_UNDECIDED : OUTCOME_PAUSED;
        return;
    }
    loop_clear_interruption(m->loop);
    clean = undo_stages(m);
    if (m->crashed)
        return;
    result->state = guest_state(m->guest);
    if (result->state != RUN_RUNNING && !started_again(m, result))
        snprintf(result->stopped, sizeof(result->stopped), "%s", m->guest->stopped);
    result->outcome = outcome_at_source(m, result, clean);
    if (m->journal)
        part_from_receiver(m, result->state, clean);
}

static void roll_back_receiver(struct migration *m, struct result *result)
{
    struct error err = { 0 };
    bool told = m->journal != NULL;
    bool clean;

    result->outcome = m->journal ? OUTCOME_ROLLED_BACK : OUTCOME_REFUSED;
    if (m->journal && !verdict_give_back(m, &result->error, &err)) {
        if (err.kind == ERROR_CRASH) {
            m->crashed = true;
            return;
        }
        /* READY was never said, or the verdict would be open: the sender cannot commit. */
        event_say(&m->events, EVENT_WARNING, NULL, "%s", err.text);
        told = false;
    }
    if (m->peer && !m->asked)
        session_abort(m->peer, &result->error);
    loop_clear_interruption(m->loop);
    if (m->journal && !verdict_may_destroy(m, &result->error)) {
        leave(m, result);
        return;
    }
    clean = undo_stages(m);
    if (m->crashed || !m->journal)
        return;
    if (!clean)
        return; /* no DESTROYED: recover goes on from there */
    if (told && verdict_destroyed(m, &err) && verdict_part(m, result->error.text, &err))
        return;
    if (err.kind == ERROR_CRASH)
        m->crashed = true;
}

static void roll_back(struct migration *m, struct result *result)
{
    if (m->side == SIDE_SEND)
        roll_back_sender(m, result);
    else
        roll_back_receiver(m, result);
}

static void conclude(struct migration *m, struct result *result)
{
    bool clean;

    loop_clear_interruption(m->loop);
    session_mute(m->peer);
    result->state = RUN_RUNNING;
    clean = finish_stages(m);
    if (m->crashed)
        return;
    result->outcome = clean ? OUTCOME_DONE : OUTCOME_CLEANUP;
    if (clean)
        close_journal(m);
    if (m->side == SIDE_SEND)
        limits_tell_pause(m);
}

/* Everything up to success, or to the first failure. */
static bool go_forward(struct migration *m, struct error *err)
{
    err->refusals = m->refusals;
    if (!checks_make(m, err) || !checks_exchange_plans(m, err))
        return checks_gather_refusals(m, err);
    err->refusals = NULL;
    if (m->options->dry_run)
        return true;
    return begin_journal(m, err) && run_stages(m, err);
}

static const char *where_it_failed(const struct migration *m)
{
    if (m->at)
        return m->at;
    return json_string_or(cJSON_GetArrayItem(m->refusals, 0), "stage", "");
}

static void way_out(struct migration *m, bool ok, struct result *result)
{
    if (result->error.kind == ERROR_CRASH)
        m->crashed = true;
    if (m->crashed)
        return;
    if (ok && m->options->dry_run)
        result->outcome = OUTCOME_DONE;
    else if (m->verdict == VERDICT_TARGET)
        conclude(m, result);
    else if (m->verdict == VERDICT_SOURCE)
        roll_back(m, result);
    else
        leave(m, result);
}

void pipeline_run(struct migration *m, struct result *result)
{
    struct limits *limits = limits_start(m);
    bool ok;

    *result = (struct result){ 0 };
    ok = go_forward(m, &result->error);
    limits_end(limits);
    if (!ok)
        snprintf(result->stage, sizeof(result->stage), "%s", where_it_failed(m));
    if (ok)
        error_clear(&result->error);
    way_out(m, ok, result);
    result->error.refusals = NULL;
    if (m->crashed)
        leave_stages(m); /* what a process's death does by itself */
    if (m->peer && !m->crashed)
        session_goodbye(m->peer);
    result->crashed = m->crashed;
    result->contested = m->contested;
    result->elapsed_ms = loop_now_ms() - m->started_ms;
    result->downtime_ms = m->paused_ms && m->running_ms ? m->running_ms - m->paused_ms : 0;
}

/* The sender's side of the commit protocol: COMMIT, GO, and asking what came of it. */
#include "verdict.h"

#include <time.h>

#include "fence.h"
#include "pipeline/handshake.h"
#include "recover.h"
#include "xmig/cleanup.h"

/* Resuming loads what the hypervisor has put off: a busy machine may take a while. */
enum {
    RESUME_MS = 120000,
    RETRY_MOST = 8, /* times the first pause */
    TELL_MS = 5000,
};

bool verdict_nobody_else(struct migration *m, struct error *err)
{
    if (m->contested)
        return error_set(err, ERROR_REFUSED, "somebody else runs the VM, or writes to its images");
    m->contested = !guest_nobody_else(m->guest, err);
    return !m->contested;
}

bool verdict_take_back(struct migration *m, struct error *err)
{
    if (journal_has(m->journal, RECORD_COMMIT) && !verdict_nobody_else(m, err))
        return false;
    return fence_take_off(m, err);
}

bool verdict_let_run(struct migration *m, struct error *err)
{
    if (journal_has(m->journal, RECORD_PAUSING) && guest_state(m->guest) == RUN_PAUSED &&
        !verdict_nobody_else(m, err))
        return false;
    /* A peer that goes away meanwhile does not keep the guest from running. */
    if (m->peer)
        session_mute(m->peer);
    loop_clear_interruption(m->loop);
    return guest_resume(m->guest, err);
}

/* A part of the guest's pause, which ends now, and began when the part before it ended. */
static void tell_downtime(struct migration *m, const char *part)
{
    uint64_t since_ms = m->go_ms ? m->go_ms : m->sent_ms;
    uint64_t now_ms = loop_now_ms();

    if (since_ms)
        event_emit(&m->events, (struct event){ .kind = EVENT_DOWNTIME,
                                               .stage = m->at,
                                               .subject = part,
                                               .elapsed_ms = now_ms - since_ms,
                                               .at_ms = now_ms });
}

/* The old copy is ended only where nobody has begun to run it again. */
static bool conclude_running(struct migration *m, struct error *err)
{
    if (!verdict_nobody_else(m, err)) {
        m->verdict = VERDICT_OPEN;
        return error_prefix(err, "the VM runs at the target, and here, too");
    }
    m->verdict = VERDICT_TARGET;
    m->running_ms = loop_now_ms();
    tell_downtime(m, "resume");
    /* A recover, or we before a break, may have written it already. */
    if (journal_last(m->journal) != RECORD_COMMIT)
        return true;
    return promise_record(m, RECORD_DONE, NULL, err);
}

static bool conclude_returned(struct migration *m, const cJSON *message, struct error *err)
{
    struct error why = { 0 };
    AUTO_JSON cJSON *facts = json_new("proof", json_string_or(message, "record", "?"));

    if (journal_last(m->journal) == RECORD_COMMIT &&
        !promise_record(m, RECORD_PROOF, facts, &why)) {
        /* The receiver's own last word is proof enough, now and whenever it is asked again. */
        event_say(&m->events, EVENT_WARNING, m->at, "%s", why.text);
        if (why.kind == ERROR_CRASH) {
            *err = why;
            return false;
        }
    }
    m->verdict = VERDICT_SOURCE;
    return error_set(err, ERROR_PEER, "the target gave the VM back: %s",
                     json_string_or(message, "text", "it did not say why"));
}

static bool conclude_lost(struct migration *m, const cJSON *message, struct error *err)
{
    m->verdict = VERDICT_NOWHERE;
    return error_set(err, ERROR_PEER, "the target owns the VM, and its copy has died: %s",
                     json_string_or(message, "text", "it did not say why"));
}

static const char *state_of(const cJSON *message)
{
    return json_string_or(message, "state", json_string_or(message, "type", ""));
}

static bool bad_answer(const cJSON *message, struct error *err)
{
    return error_set(err, ERROR_PEER, "the target's answer is '%s': %s", state_of(message),
                     json_string_or(message, "text", "no more is known"));
}

/* One word of the receiver after COMMIT. *open: no verdict yet, ask again. */
static bool hear(struct migration *m, const cJSON *message, bool *open, struct error *err)
{
    const char *state = state_of(message);

    *open = false;
    if (!strcmp(state, "running"))
        return conclude_running(m, err);
    if (!strcmp(state, "returned"))
        return conclude_returned(m, message, err);
    if (!strcmp(state, "lost"))
        return conclude_lost(m, message, err);
    if (!strcmp(state, "ran")) {
        m->ran_there = true;
        return error_set(err, ERROR_REFUSED,
                         "somebody has let the target's copy run before it was handed over");
    }
    *open = strcmp(state, "unknown") != 0;
    return bad_answer(message, err);
}

static bool own_copy_lives(struct migration *m)
{
    enum run_state state = guest_state(m->guest);

    return state == RUN_PAUSED || state == RUN_RUNNING;
}

/* As long as GO has not been said the target can give the VM back, to a copy here that is alive:
 * with a dead one the target's would be destroyed, which is the only one.
 */
static bool may_withdraw(struct migration *m)
{
    return !m->said_go && own_copy_lives(m);
}

static bool withdraw(struct migration *m, bool *open, const struct error *why, struct error *err)
{
    AUTO_JSON cJSON *message = NULL;

    event_say(&m->events, EVENT_WARNING, m->at, "taking the VM back: %s", why->text);
    session_abort(m->peer, why);
    message = session_skip_to(m->peer, "verdict", VERDICT_QUERY_MS, err);
    if (!message)
        return false;
    if (hear(m, message, open, err))
        return true;
    if (m->verdict == VERDICT_SOURCE && err->kind != ERROR_CRASH)
        *err = *why;
    return false;
}

/* Has somebody let the old copy run after COMMIT? False also where that cannot be known. */
static bool has_run_here(struct migration *m, struct error *why)
{
    return !guest_unchanged(m->guest, why) && why->kind == ERROR_REFUSED;
}

/* The last look, again: a copy that has run since is not the one that the target has. */
static bool look_before_go(struct migration *m, bool *open, struct error *err)
{
    struct error why = { 0 };

    *open = false;
    if (!verdict_nobody_else(m, err))
        return false;
    if (!has_run_here(m, &why))
        return true;
    if (may_withdraw(m))
        return withdraw(m, open, &why, err);
    *err = why;
    return false;
}

/* A target whose disks are not in order may give the VM back, if there is a copy to go back to. */
static bool send_go(struct migration *m, struct error *err)
{
    cJSON *body = must(cJSON_CreateObject());

    m->said_go = true;
    if (!own_copy_lives(m))
        cJSON_AddTrueToObject(body, "alone");
    return session_send(m->peer, "go", body, err);
}

/* Fence the old copy, see that nobody runs it, say GO, and hear what came of it. */
static bool say_go(struct migration *m, bool *open, struct error *err)
{
    static const char *const answers[] = { "running", "verdict", NULL };
    AUTO_JSON cJSON *message = NULL;
    struct error why = { 0 };

    *open = true;
    if (!fence_put_up(m, &why)) {
        error_prefix(&why, "the old copy cannot be fenced");
        if (may_withdraw(m))
            return withdraw(m, open, &why, err);
        *open = false;
        *err = why;
        return false;
    }
    if (!look_before_go(m, open, err))
        return false;
    *open = true;
    if (!send_go(m, err))
        return false;
    tell_downtime(m, "handshake");
    m->go_ms = loop_now_ms();
    message = session_expect_any(m->peer, answers, RESUME_MS, err);
    return message && hear(m, message, open, err);
}

/* May the copy that the receiver tells of be handed over? One that ran: when a person says so. */
static bool waits_for_go(const struct migration *m, const cJSON *message)
{
    return !strcmp(state_of(message), "prepared") ||
           (!strcmp(state_of(message), "ran") && verdict_goes_forward(m));
}

/* One QUERY on a connection of its own. */
static bool ask(struct migration *m, bool *open, struct error *err)
{
    bool committed = journal_last(m->journal) == RECORD_COMMIT;
    AUTO_JSON cJSON *message = NULL;

    *open = true;
    if (!handshake_query(m, (struct query){ .committed = committed, .back = m->give_up_knowingly },
                         err))
        return false;
    message = session_expect(m->peer, "verdict", VERDICT_QUERY_MS, err);
    if (!message)
        return false;
    m->answered = strcmp(state_of(message), "unknown") != 0;
    if (committed && waits_for_go(m, message))
        return say_go(m, open, err);
    return hear(m, message, open, err);
}

/* Asking the same question again and again, less and less often. */
struct retrying {
    uint64_t wait_ms; /* before the next one; 0: there was none yet */
    uint64_t give_up_ms;
    struct error told; /* a cause is told once */
};

static bool is_over(const struct retrying *retrying)
{
    return loop_now_ms() >= retrying->give_up_ms;
}

static void pause_before_retry(struct migration *m, struct retrying *retrying)
{
    /* A target that answers that it is at it is not far from an answer. */
    uint64_t first_ms = m->answered ? m->options->poll_ms : m->options->retry_ms;
    uint64_t most_ms = m->options->retry_ms * RETRY_MOST;
    uint64_t left_ms = retrying->give_up_ms - loop_now_ms();

    retrying->wait_ms = retrying->wait_ms ? retrying->wait_ms * 2 : first_ms;
    if (retrying->wait_ms > most_ms)
        retrying->wait_ms = most_ms;
    loop_clear_interruption(m->loop);
    (void)loop_pause(m->loop, retrying->wait_ms < left_ms ? retrying->wait_ms : left_ms, NULL);
}

/* By the clock on the wall. */
static uint64_t end_of_patience(const struct retrying *retrying)
{
    return (uint64_t)time(NULL) + (retrying->give_up_ms - loop_now_ms()) / 1000;
}

static void tell_once(struct migration *m, struct retrying *retrying, const struct error *why)
{
    if (!strcmp(retrying->told.text, why->text))
        return;
    retrying->told = *why;
    event_say(&m->events, EVENT_WARNING, m->at,
              "no verdict from the target yet; asking again, for up to %llu s: %s",
              (unsigned long long)(retrying->give_up_ms - loop_now_ms()) / 1000, why->text);
}

static bool seek(struct migration *m, struct error *err)
{
    struct retrying retrying = { .give_up_ms = loop_now_ms() + m->options->patience_ms };
    bool open;

    for (;;) {
        loop_clear_interruption(m->loop);
        if (ask(m, &open, err))
            return true;
        if (!open || err->kind == ERROR_CRASH || is_over(&retrying))
            return false;
        tell_once(m, &retrying, err);
        m->alone_until_s = end_of_patience(&retrying);
        pause_before_retry(m, &retrying);
    }
}

bool verdict_seek(struct migration *m, struct error *err)
{
    bool found = seek(m, err);

    m->alone_until_s = 0;
    return found;
}

bool verdict_hear_returned(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *message = NULL;

    loop_clear_interruption(m->loop);
    if (m->heard_returned)
        return true;
    if (m->peer)
        message = session_skip_to(m->peer, "verdict", VERDICT_QUERY_MS, err);
    if (message && !strcmp(json_string_or(message, "state", ""), "returned"))
        return true;
    m->verdict = VERDICT_OPEN;
    (void)verdict_seek(m, err);
    return m->verdict == VERDICT_SOURCE;
}

/* Before ABORTED, when the target may be PREPARED: has its copy run? */
bool verdict_hear_ran(struct migration *m, const struct error *why, struct error *err)
{
    AUTO_JSON cJSON *message = NULL;

    if (!m->peer)
        return false;
    session_abort(m->peer, why);
    loop_clear_interruption(m->loop);
    message = session_skip_to(m->peer, "verdict", TELL_MS, NULL);
    m->heard_returned = !strcmp(state_of(message), "returned");
    if (strcmp(state_of(message), "ran") != 0)
        return false;
    m->verdict = VERDICT_OPEN;
    (void)bad_answer(message, err);
    return true;
}

static bool say_settled(struct migration *m, bool running, struct error *err)
{
    cJSON *body = must(cJSON_CreateObject());

    cJSON_AddBoolToObject(body, "running", running);
    return session_send(m->peer, "settled", body, err);
}

/* On the connection that there is. *wait: there may soon be another answer. */
static bool report(struct migration *m, bool running, bool *wait, struct error *err)
{
    uint64_t patience_ms = m->called_off ? TELL_MS : VERDICT_QUERY_MS;

    *wait = true;
    (void)say_settled(m, running, NULL); /* a receiver that needs no word of ours has gone */
    for (;;) {
        AUTO_JSON cJSON *message = session_skip_to(m->peer, "verdict", patience_ms, err);
        const char *state = state_of(message);

        if (!message)
            return false;
        if (!strcmp(state, "unknown"))
            return true;
        if (strcmp(state, "returned") != 0) {
            *wait = !strcmp(state, "wait");
            if (!strcmp(state, "running"))
                m->verdict = VERDICT_TARGET; /* the operator's word was wrong */
            return bad_answer(message, err);
        }
        /* Complete disks it keeps, and its journal open, until the guest runs (R4). */
        if (!running || !strcmp(json_string_or(message, "record", ""), "CLOSED"))
            return true;
    }
}

bool verdict_report(struct migration *m, bool running, struct error *err)
{
    struct retrying retrying = { .give_up_ms = loop_now_ms() + (m->settling ? TELL_MS : 0) };
    bool wait;

    loop_clear_interruption(m->loop);
    if (m->peer) {
        if (report(m, running, &wait, err))
            return true;
        if (m->called_off && running) /* its guardian, or `recover`, goes on with that */
            return false;
        event_say(&m->events, EVENT_NOTE, NULL,
                  "the VM stays here; asking the target anew what it did with its copy");
    }
    for (;;) {
        loop_clear_interruption(m->loop);
        if (!handshake_query(m, (struct query){ .back = m->give_up_knowingly }, err))
            return false;
        if (report(m, running, &wait, err))
            return true;
        if (!wait || is_over(&retrying))
            return false;
        pause_before_retry(m, &retrying);
    }
}

/* The last look and COMMIT are one under the journal's lock: a guest that somebody has let run is
 * not the one that the target has.
 */
static bool look_and_commit(struct migration *m, struct error *err)
{
    bool ok;

    if (!fault_at(m, record_name(RECORD_COMMIT), FAULT_BEFORE, err) ||
        !journal_lock(m->journal, err))
        return false;
    ok = guest_unchanged(m->guest, err) &&
         promise_append(m, RECORD_COMMIT, NULL, err); /* ← the point of no return */
    journal_unlock(m->journal);
    return ok && fault_at(m, record_name(RECORD_COMMIT), FAULT_AFTER, err);
}

bool verdict_commit(struct migration *m, struct error *err)
{
    bool open;

    if (loop_interrupted(m->loop))
        return loop_pause(m->loop, 1, err);
    if (!look_and_commit(m, err)) {
        if (!journal_has(m->journal, RECORD_COMMIT))
            return false;
        m->verdict = VERDICT_OPEN;
        return err->kind != ERROR_CRASH && verdict_seek(m, err);
    }
    m->verdict = VERDICT_OPEN;
    session_mute(m->peer);
    if (say_go(m, &open, err))
        return true;
    if (!open || err->kind == ERROR_CRASH)
        return false;
    event_say(&m->events, EVENT_WARNING, m->at, "%s; asking the target what it did", err->text);
    return verdict_seek(m, err);
}

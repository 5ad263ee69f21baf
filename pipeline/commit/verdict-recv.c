/* The receiver's side of the commit protocol: PREPARED, OWNED and running, or giving back. */
#include "verdict.h"

#include <time.h>

#include "pipeline/handshake.h"
#include "xmig/cleanup.h"

enum {
    LOOK_MS = 1000 /* how often a copy that waits is looked at: does it run? */
};

void verdict_say_prepared(struct migration *m)
{
    if (m->ran)
        verdict_tell(m, "ran",
                     "its copy has run although it was not handed over: it is paused and kept");
    else
        verdict_tell(m, "prepared", NULL);
}

/* After a boot of this machine what looks like it is not it. */
static bool copy_lives(struct migration *m)
{
    enum run_state state = copy_state(m->copy);

    return !journal_rebooted_since(m->journal, journal_find(m->journal, RECORD_BEGIN)) &&
           (state == RUN_PAUSED || state == RUN_RUNNING);
}

/* The guest is ours for good, and its copy is dead. Always false. */
static bool lose_copy(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *facts = json_new("why", err->text);
    struct error why = { 0 };

    if (!promise_record(m, RECORD_LOST, facts, &why)) {
        *err = why;
        return false;
    }
    m->verdict = VERDICT_NOWHERE;
    verdict_tell(m, "lost", err->text);
    return false;
}

/* OWNED, and it cannot be proven that it never ran here: it is ours, dead or alive. Always false.
 */
static bool keep_what_ran(struct migration *m, struct error *err)
{
    if (!copy_lives(m))
        return lose_copy(m, err);
    return error_prefix(err, "the VM is ours, and its copy has run, but does not run now");
}

/* OWNED, and the guest provably never ran here: give it back. On the operator's word there
 * is nobody to give it back to. Always false.
 */
static bool relinquish(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *facts = json_new("why", err->text);
    struct error why = { 0 };

    if (err->kind == ERROR_CRASH)
        return false;
    if (journal_has(m->journal, RECORD_WORD))
        return lose_copy(m, err);
    if (!verdict_never_ran(m, NULL))
        return keep_what_ran(m, err);
    if (!promise_record(m, RECORD_RELINQUISHED, facts, &why)) {
        *err = why;
        return false;
    }
    m->verdict = VERDICT_SOURCE;
    return false;
}

/* After RESUMING nobody can prove that the guest never ran, unless the machine said so. */
static bool runs_all_the_same(struct migration *m, struct error *err)
{
    switch (copy_state(m->copy)) {
    case RUN_RUNNING:
        return true;
    case RUN_GONE:
        return lose_copy(m, err);
    case RUN_PAUSED:
    case RUN_UNKNOWN:
        break;
    }
    return error_prefix(err, "the VM is ours, and whether it runs is not known");
}

static bool resume_locked(struct migration *m, struct error *err)
{
    if (!promise_record(m, RECORD_RESUMING, NULL, err))
        return false;
    if (copy_resume(m->copy, err))
        return true;
    if (err->kind == ERROR_SYSTEM)
        return relinquish(m, err);
    return runs_all_the_same(m, err);
}

/* The lock makes RESUMING, the act and its failure one: a process that was stopped in
 * between cannot give back what another one has meanwhile resumed.
 */
static bool resume(struct migration *m, struct error *err)
{
    bool ok;

    if (!journal_lock(m->journal, err))
        return false;
    ok = resume_locked(m, err);
    journal_unlock(m->journal);
    return ok;
}

static bool conclude_run(struct migration *m, struct error *err)
{
    struct error why = { 0 };

    m->verdict = VERDICT_TARGET;
    if (journal_last(m->journal) != RECORD_RUNNING &&
        !promise_record(m, RECORD_RUNNING, NULL, &why)) {
        if (why.kind == ERROR_CRASH) {
            *err = why;
            return false;
        }
        /* The copy runs, and RESUMING in the journal says so, too: only warn. */
        event_say(&m->events, EVENT_WARNING, m->at, "%s", why.text);
    }
    return true;
}

/* From OWNED on: the guest is ours; make it run, or prove that it never did. */
static bool run_it(struct migration *m, struct error *err)
{
    if (!copy_before_resume(m->copy, err))
        return relinquish(m, err);
    return resume(m, err) && conclude_run(m, err);
}

static bool own(struct migration *m, struct error *err)
{
    if (!promise_record(m, RECORD_OWNED, NULL, err))
        return false;
    return run_it(m, err);
}

/* On a person's word that the sender is dead: a disk without a name is better than none. */
static bool own_alone(struct migration *m, struct error *err)
{
    struct error why = { 0 };

    if (!copy_disks_have_names(m->copy, &why))
        event_say(&m->events, EVENT_WARNING, m->at,
                  "%s: what the VM writes there is gone when its process ends", why.text);
    return own(m, err);
}

static bool own_and_tell(struct migration *m, struct error *err)
{
    if (!own(m, err))
        return false;
    (void)session_send(m->peer, "running", NULL, NULL);
    return true;
}

/* The verdict is written by the one who gives the copy back: pipeline or recover. */
static bool refuse(struct migration *m, enum error_kind kind, const char *why, struct error *err)
{
    m->verdict = VERDICT_SOURCE;
    return error_set(err, kind, "%s", why);
}

struct waiting {
    struct migration *m;
    bool had_peer; /* the session was alive when the wait began: its loss is news */
};

static bool something_happened(void *arg)
{
    const struct waiting *waiting = arg;
    const struct migration *m = waiting->m;

    return m->pending_control[0] >= 0 || (m->peer && session_pending(m->peer)) ||
           (waiting->had_peer && session_lost(m->peer));
}

/* A sender that has lost us dials again: its new connection takes the old one's
 * place. It says whether COMMIT is written; before that the copy is not wanted any more.
 */
static bool take_new_control(struct migration *m, bool *refused, struct error *err)
{
    int in_fd = m->pending_control[0];
    int out_fd = m->pending_control[1];
    struct query query;

    m->pending_control[0] = m->pending_control[1] = -1;
    session_free(m->peer);
    m->peer = NULL;
    if (!handshake_answer_query(m, in_fd, out_fd, &query, err))
        return false;
    session_mute(m->peer);
    if (query.look) {
        verdict_show(m);
        session_goodbye(m->peer);
        session_free(steal(m->peer));
        return true;
    }
    m->give_up_knowingly = query.back;
    *refused = (!query.committed || query.back) && verdict_never_ran(m, NULL);
    if (!*refused)
        verdict_say_prepared(m);
    return true;
}

/* The sender's abort: it has written ABORTED, or will never write COMMIT. */
static bool take_abort(struct migration *m, const struct error *abort, struct error *err)
{
    if (verdict_never_ran(m, NULL))
        return refuse(m, abort->kind, abort->text, err);
    verdict_say_prepared(m);
    session_goodbye(m->peer);
    session_free(m->peer);
    m->peer = NULL;
    return true;
}

/* The last look at our disks: writes to an image without a name would be lost when QEMU ends. A
 * sender with no copy to go back to waits until a person has repaired the names.
 */
static bool may_own(struct migration *m, const cJSON *go, struct error *err)
{
    if (copy_disks_have_names(m->copy, err))
        return true;
    if (json_true(go, "alone"))
        verdict_tell(m, "wait", err->text);
    else
        m->verdict = VERDICT_SOURCE;
    return false;
}

/* One message of the sender's while we are prepared. *over: we need not wait for another. */
static bool hear_sender(struct migration *m, bool *over, struct error *err)
{
    static const char *const words[] = { "go", "settled", NULL };
    struct error refusal = { 0 };
    AUTO_JSON cJSON *message = session_expect_any(m->peer, words, VERDICT_QUERY_MS, &refusal);
    bool go = message && !strcmp(json_string_or(message, "type", ""), "go");

    *over = true;
    if (go && may_own(m, message, err))
        return own_and_tell(m, err);
    *over = message ? m->verdict == VERDICT_SOURCE : !take_abort(m, &refusal, err);
    return false;
}

static bool lease_is_over(const struct migration *m, uint64_t lost_ms)
{
    return lost_ms && m->options->lease_ms && loop_now_ms() >= lost_ms + m->options->lease_ms;
}

/* A copy that has run is kept, and waits for a person without us. */
static bool end_lease(struct migration *m, struct error *err)
{
    if (verdict_never_ran(m, err))
        return refuse(m, ERROR_TIMEOUT, "the sender did not come back within the lease", err);
    m->verdict = VERDICT_OPEN;
    return false;
}

/* How long to wait on before the copy is looked at, at least a moment: what has come in already
 * is looked at first.
 */
static uint64_t until_next_look(const struct migration *m, uint64_t lost_ms)
{
    uint64_t over_ms = lost_ms + m->options->lease_ms;
    uint64_t now_ms = loop_now_ms();

    if (!lost_ms || !m->options->lease_ms || over_ms >= now_ms + LOOK_MS)
        return LOOK_MS;
    return over_ms > now_ms ? over_ms - now_ms : 1;
}

/* When the lease ends by the clock on the wall, for those who ask; 0: the sender is there. */
static uint64_t end_of_lease(const struct migration *m, uint64_t lost_ms)
{
    if (!lost_ms)
        return 0;
    if (!m->options->lease_ms)
        return UINT64_MAX;
    return (uint64_t)time(NULL) + (lost_ms + m->options->lease_ms - loop_now_ms()) / 1000;
}

/* Wait for GO, a refusal, or the lease's end. */
static bool await_go(struct migration *m, struct error *err)
{
    uint64_t lost_ms = 0; /* when we were first found alone; one lease, whatever wakes us */

    for (;;) {
        struct waiting waiting = { m, m->peer && !session_lost(m->peer) };
        struct error why = { 0 };
        bool refused = false;
        bool over = false;

        /* While the sender is there, its keep-alive is the deadline. */
        loop_clear_interruption(m->loop);
        if (waiting.had_peer)
            lost_ms = 0;
        else if (!lost_ms)
            lost_ms = loop_now_ms();
        m->alone_until_s = end_of_lease(m, lost_ms);
        if (!loop_wait(m->loop, something_happened, &waiting, until_next_look(m, lost_ms), &why)) {
            if (why.kind == ERROR_TIMEOUT)
                (void)verdict_never_ran(m, NULL);
            if (lease_is_over(m, lost_ms))
                return end_lease(m, err);
            continue;
        }
        if (m->pending_control[0] >= 0) {
            if (!take_new_control(m, &refused, &why))
                event_say(&m->events, EVENT_WARNING, m->at, "a query failed: %s", why.text);
            if (refused)
                return refuse(m, ERROR_PEER, "the sender gave up before it committed", err);
            continue;
        }
        if (m->peer && session_pending(m->peer)) {
            bool owned = hear_sender(m, &over, err);

            if (over)
                return owned;
            continue;
        }
        event_say(&m->events, EVENT_WARNING, m->at,
                  "lost the sender; keeping the complete, paused copy until it comes back");
        session_free(steal(m->peer)); /* one that has said goodbye waits for ours */
    }
}

bool verdict_await(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *facts = must(cJSON_CreateObject());

    copy_remember_sealed(m->copy, facts);
    if (!promise_record(m, RECORD_PREPARED, facts, err))
        return false;
    /* From here on the sender may commit at any moment, as soon as it hears of it. */
    m->verdict = VERDICT_OPEN;
    session_mute(m->peer);
    (void)session_send(m->peer, "ready", NULL, NULL);
    return await_go(m, err);
}

/* PREPARED, by a process that has died. */
static bool go_on_prepared(struct migration *m, bool peer_committed, struct error *err)
{
    bool lives = copy_lives(m);

    m->prepared = true;
    m->verdict = VERDICT_OPEN;
    if (!verdict_never_ran(m, err) && !(lives && peer_committed))
        return false;
    if (!lives)
        return refuse(m, ERROR_SYSTEM, "the paused copy died", err);
    if (!peer_committed)
        return refuse(m, ERROR_PEER, "the sender gave up before it committed", err);
    return await_go(m, err);
}

/* OWNED, by a process that has died. */
static bool go_on_owned(struct migration *m, struct error *err)
{
    if (copy_lives(m))
        return run_it(m, err);
    error_set(err, ERROR_SYSTEM, "the copy died before it ran");
    return relinquish(m, err);
}

/* RESUMING, by a process that has died: the guest may have run. */
static bool go_on_resuming(struct migration *m, struct error *err)
{
    enum run_state state = copy_state(m->copy);

    if (verdict_copy_is_ready(m)) {
        if (!copy_resume(m->copy, err))
            return runs_all_the_same(m, err) && conclude_run(m, err);
        return conclude_run(m, err);
    }
    if (state == RUN_RUNNING)
        return conclude_run(m, err);
    error_set(err, ERROR_SYSTEM, "it died after it had begun to run");
    return runs_all_the_same(m, err);
}

/* LOST, and perhaps closed since. */
static bool go_on_lost(struct migration *m, struct error *err)
{
    if (verdict_runs_again(m)) {
        m->verdict = VERDICT_TARGET;
        return true;
    }
    m->verdict = VERDICT_NOWHERE;
    return error_set(err, ERROR_SYSTEM, "the copy died after it had begun to run");
}

static const char *why_given_back(const struct migration *m)
{
    const cJSON *record =
        journal_find(m->journal, journal_has(m->journal, RECORD_RELINQUISHED) ? RECORD_RELINQUISHED
                                                                              : RECORD_REFUSED);

    return json_string_or(record, "why", "the target had given the VM back");
}

bool verdict_go_on(struct migration *m, bool peer_committed, struct error *err)
{
    switch (journal_last(m->journal)) {
    case RECORD_BEGIN:
        return refuse(m, ERROR_SYSTEM, "the receiver died before the copy was complete", err);
    case RECORD_PREPARED:
        return go_on_prepared(m, peer_committed, err);
    case RECORD_WORD:
        m->verdict = VERDICT_OPEN;
        if (verdict_copy_is_ready(m))
            return own_alone(m, err);
        error_set(err, ERROR_SYSTEM, "the paused copy died; its complete disks are here");
        return lose_copy(m, err);
    case RECORD_OWNED:
        m->verdict = VERDICT_OPEN;
        return go_on_owned(m, err);
    case RECORD_RESUMING:
        m->verdict = VERDICT_OPEN;
        return go_on_resuming(m, err);
    case RECORD_RUNNING:
        m->verdict = VERDICT_TARGET;
        return true;
    case RECORD_LOST:
        return go_on_lost(m, err);
    case RECORD_REFUSED:
    case RECORD_RELINQUISHED:
    case RECORD_DESTROYED:
        m->prepared = journal_has(m->journal, RECORD_PREPARED);
        return refuse(m, ERROR_PEER, why_given_back(m), err);
    case RECORD_CLOSED:
        if (journal_has(m->journal, RECORD_RUNNING)) {
            m->verdict = VERDICT_TARGET;
            return true;
        }
        if (journal_has(m->journal, RECORD_LOST))
            return go_on_lost(m, err);
        return refuse(m, ERROR_PEER, why_given_back(m), err);
    default:
        return error_set(err, ERROR_PROTOCOL, "the journal ends in an unexpected %s",
                         record_name(journal_last(m->journal)));
    }
}

bool verdict_give_back(struct migration *m, const struct error *why, struct error *err)
{
    AUTO_JSON cJSON *facts = json_new("why", why->text);
    enum record last = journal_last(m->journal);

    if (last == RECORD_BEGIN || last == RECORD_PREPARED)
        return verdict_note_given_up(m, err) && promise_record(m, RECORD_REFUSED, facts, err);
    return last != RECORD_REFUSED || verdict_note_given_up(m, err);
}

bool verdict_destroyed(struct migration *m, struct error *err)
{
    enum record last = journal_last(m->journal);

    if ((last == RECORD_REFUSED || last == RECORD_RELINQUISHED) &&
        !promise_record(m, RECORD_DESTROYED, NULL, err))
        return false;
    return true;
}

/* Complete disks stay until the sender says that the guest runs there (R4). */
static bool sender_has_settled(struct migration *m)
{
    AUTO_JSON cJSON *message = NULL;

    if (m->peer)
        message = session_skip_to(m->peer, "settled", VERDICT_QUERY_MS, NULL);
    return message && json_true(message, "running");
}

bool verdict_discard(struct migration *m, struct error *err)
{
    return copy_disks_discard(m->copy, err) && promise_record(m, RECORD_CLOSED, NULL, err);
}

static bool part_with_complete_disks(struct migration *m, const char *why, struct error *err)
{
    verdict_tell(m, "returned", why);
    if (sender_has_settled(m))
        return verdict_discard(m, err);
    event_say(&m->events, EVENT_NOTE, NULL,
              "the complete disks are kept until the sender reports that the VM runs, or "
              "'xmig recover --discard %s'",
              m->id);
    return true;
}

bool verdict_part(struct migration *m, const char *why, struct error *err)
{
    if (!(m->prepared ? part_with_complete_disks(m, why, err)
                      : promise_record(m, RECORD_CLOSED, NULL, err)))
        return false;
    if (journal_last(m->journal) == RECORD_CLOSED)
        verdict_tell(m, "returned", why);
    return true;
}

/* Destroy what is here of a copy that was given back. Its disks go with it, unless complete. */
static bool destroy_copy(struct migration *m, struct error *err)
{
    return copy_give_up(m->copy, m->prepared, err);
}

bool verdict_settle(struct migration *m, const struct error *why, struct error *err)
{
    enum record last;

    if (!verdict_give_back(m, why, err))
        return false;
    last = journal_last(m->journal);
    if ((last == RECORD_REFUSED || last == RECORD_RELINQUISHED) &&
        (!verdict_may_destroy(m, err) || !destroy_copy(m, err)))
        return false;
    if (!verdict_destroyed(m, err))
        return false;
    if (journal_last(m->journal) == RECORD_CLOSED) {
        verdict_tell(m, "returned", why->text);
        return true;
    }
    return verdict_part(m, why->text, err);
}

void verdict_answer(struct migration *m, const struct error *why)
{
    struct error problem = { 0 };

    switch (m->verdict) {
    case VERDICT_TARGET:
        verdict_tell(m, "running", NULL);
        break;
    case VERDICT_NOWHERE:
        verdict_tell(m, "lost", why->text);
        break;
    case VERDICT_SOURCE:
        if (!verdict_settle(m, why, &problem))
            verdict_tell(m, m->ran ? "ran" : "wait", problem.text);
        break;
    case VERDICT_OPEN:
        verdict_tell(m, m->ran ? "ran" : "wait", why->text);
        break;
    }
}

static bool runs_here(struct migration *m)
{
    enum record last = journal_last(m->journal);

    return last == RECORD_RUNNING || (last == RECORD_LOST && verdict_runs_again(m));
}

void verdict_settle_in(struct migration *m)
{
    struct error err = { 0 };

    copy_after_resume(m->copy);
    if (runs_here(m) && !promise_record(m, RECORD_CLOSED, NULL, &err))
        event_say(&m->events, EVENT_WARNING, NULL, "%s", err.text);
    if (err.kind == ERROR_CRASH)
        m->crashed = true;
}

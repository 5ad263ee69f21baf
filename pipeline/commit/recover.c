/* `xmig recover`: settle a migration whose process has died, or does not answer.
 *
 * It looks at the machine before the journal, asks before it acts, and never
 * guesses: what stays open has an exit status, and the words say what would settle it.
 */
#include "xmig/commit.h"

#include <stdio.h>

#include "fence.h"
#include "recover.h"
#include "reopen.h"
#include "started-again.h"
#include "pipeline/status-socket.h"
#include "verdict.h"
#include "xmig/cleanup.h"
#include "xmig/facts.h"

bool recover_owner_at_work(struct migration *m, char **status)
{
    return status_ask(m, status);
}

bool recover_status_is_alone(const char *status)
{
    return status_is_alone(status);
}

/* ---- sender ---- */

/* R7: with shared images the target's copy must be proven gone before the guest runs. */
static bool needs_proof(const struct migration *m)
{
    return !json_true(journal_find(m->journal, RECORD_BEGIN), "mirrors_disks") &&
           journal_has(m->journal, RECORD_PAUSING);
}

/* R7: instead of a proof the operator's word will do. After ABORTED it is a note. */
static bool note_the_word(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *fact = fact_new(FACT_WORD);

    return journal_append(m->journal, RECORD_NOTE, fact, err);
}

/* The process died before COMMIT: the guest stays. */
static void abort_source(struct migration *m, const struct recover_options *options,
                         struct result *result)
{
    struct error err = { 0 };

    (void)started_again(m, result);
    if (recover_choice(m, options, result))
        return;
    if (journal_last(m->journal) != RECORD_ABORTED &&
        !promise_record(m, RECORD_ABORTED, NULL, &err)) {
        recover_say(result, OUTCOME_PAUSED, err.kind, err.text);
        return;
    }
    if (!*result->again && needs_proof(m) && !verdict_hear_returned(m, &err) &&
        !(recover_word_counts(m, options) && note_the_word(m, &err))) {
        recover_say(result, OUTCOME_PAUSED, err.kind, err.text);
        return;
    }
    m->verdict = VERDICT_SOURCE;
    recover_let_run(m, result);
    recover_part(m, options->peer_is_dead, result);
}

/* The VM is the source's for good. */
static enum outcome outcome_here(enum run_state state)
{
    if (state == RUN_GONE)
        return OUTCOME_NOWHERE;
    return state == RUN_PAUSED ? OUTCOME_PAUSED : OUTCOME_ROLLED_BACK;
}

/* Where the VM is ours and nothing of ours keeps it from running, that is all there is to say. */
static void tell_why_stopped(const struct migration *m, struct result *result)
{
    if (m->verdict != VERDICT_SOURCE || !*m->guest->stopped)
        return;
    snprintf(result->stopped, sizeof(result->stopped), "%s", m->guest->stopped);
    error_clear(&result->error);
}

/* The word of a person who said that the target is dead, and a guest that does not run yet: a
 * target that can be heard by now, and runs it, was not dead.
 */
static void take_the_word_again(struct migration *m, const struct recover_options *options,
                                struct result *result)
{
    if (result->state == RUN_PAUSED && verdict_look(m, NULL) == LOOK_RUNNING) {
        recover_say(result, OUTCOME_UNDECIDED, ERROR_REFUSED,
                    "the VM runs at the target, which was said to be dead: the paused copy here is "
                    "not let run beside it. If it shall stay there, end the copy here; if not, end "
                    "it there, and run this again");
        return;
    }
    recover_take_the_proof(m, options, result);
}

static void recover_sender(struct migration *m, const struct recover_options *options,
                           struct result *result)
{
    recover_look(m, result);
    switch (journal_last(m->journal)) {
    case RECORD_BEGIN:
    case RECORD_PAUSING:
    case RECORD_ABORTED:
        abort_source(m, options, result);
        break;
    case RECORD_COMMIT:
        recover_committed(m, options, result);
        break;
    case RECORD_PROOF:
        recover_take_the_proof(m, options, result);
        break;
    case RECORD_WORD:
        take_the_word_again(m, options, result);
        break;
    case RECORD_DONE:
        recover_target_runs_it(m, result);
        break;
    default: /* CLOSED */
        result->outcome =
            journal_has(m->journal, RECORD_DONE) ? OUTCOME_DONE : outcome_here(result->state);
        break;
    }
    if (result->outcome == OUTCOME_PAUSED || result->outcome == OUTCOME_NOWHERE)
        tell_why_stopped(m, result);
    if (m->peer)
        session_goodbye(m->peer);
}

/* ---- receiver ---- */

static void give_back(struct migration *m, const struct recover_options *options,
                      struct result *result)
{
    struct error why = result->error;
    struct error err = { 0 };

    error_clear(&result->error);
    result->outcome = OUTCOME_ROLLED_BACK;
    result->state = RUN_GONE;
    if (!verdict_settle(m, &why, &err) ||
        (options->discard && journal_last(m->journal) == RECORD_DESTROYED &&
         !verdict_discard(m, &err)))
        recover_say(result, m->ran ? OUTCOME_UNDECIDED : OUTCOME_ROLLED_BACK, err.kind,
                    err.text); /* and something of it is left here */
}

/* Complete and paused, and the sender may have committed: only it, or the operator, can tell. */
static bool is_undecided(struct migration *m, const struct recover_options *options,
                         struct result *result)
{
    if (journal_last(m->journal) != RECORD_PREPARED || options->peer_is_dead ||
        options->lease_is_over)
        return false;
    if (!verdict_copy_is_ready(m))
        return false;
    recover_say(result, OUTCOME_UNDECIDED, ERROR_REFUSED,
                m->ran ? "the copy here has run although it was not handed over; it is paused "
                         "and kept"
                       : "the copy here is complete and paused; whether the sender has committed "
                         "is known there only");
    return true;
}

static bool take_the_word_here(struct migration *m, struct error *err)
{
    return journal_last(m->journal) != RECORD_PREPARED || promise_record(m, RECORD_WORD, NULL, err);
}

static void finish_here(struct migration *m, struct result *result)
{
    error_clear(&result->error);
    verdict_settle_in(m);
    result->outcome = journal_last(m->journal) == RECORD_CLOSED ? OUTCOME_DONE : OUTCOME_CLEANUP;
}

/* LOST, and the guest will not be started again from what is here. Its disks stay. */
static void see_to(struct migration *m, const struct recover_options *options,
                   struct result *result)
{
    struct error err = { 0 };

    if (!recover_may_close(options, result))
        return;
    error_clear(&result->error);
    result->closed = verdict_see_to(m, &err);
    if (result->closed)
        result->outcome = OUTCOME_DONE;
    else
        recover_say(result, OUTCOME_NOWHERE, err.kind, err.text);
}

static void recover_receiver(struct migration *m, const struct recover_options *options,
                             struct result *result)
{
    if ((options->forward || options->back) && journal_last(m->journal) != RECORD_CLOSED) {
        recover_say(result, OUTCOME_UNDECIDED, ERROR_REFUSED,
                    "whether the copy here goes on, or is given up, is chosen at the source: "
                    "nothing was done");
        return;
    }
    if (journal_last(m->journal) == RECORD_PREPARED)
        (void)verdict_never_ran(m, NULL); /* one that runs is paused */
    result->state = copy_state(m->copy);
    m->prepared = journal_has(m->journal, RECORD_PREPARED);
    if (is_undecided(m, options, result))
        return;
    m->verdict = VERDICT_OPEN;
    if (options->peer_is_dead && (result->state == RUN_PAUSED || m->ran) &&
        !take_the_word_here(m, &result->error))
        return;
    if (verdict_go_on(m, false, &result->error)) {
        finish_here(m, result);
        result->state = copy_state(m->copy);
        return;
    }
    if (m->verdict == VERDICT_SOURCE)
        give_back(m, options, result);
    else if (options->close && journal_last(m->journal) == RECORD_LOST)
        see_to(m, options, result);
    else
        result->outcome = m->verdict == VERDICT_NOWHERE ? OUTCOME_NOWHERE : OUTCOME_UNDECIDED;
}

void recover_run(struct migration *m, const struct recover_options *options, struct result *result)
{
    struct migration_options once = *m->options;

    /* A person who says that the peer is dead does not want to wait for it. */
    if (options->peer_is_dead)
        once.patience_ms = 0;
    m->options = &once;
    *result = (struct result){ .outcome = OUTCOME_UNDECIDED };
    if (!reopen_end_owner(m, &result->error))
        return;
    migration_sweep(m);
    m->settling = true;
    if (!reopen_as_owner(m, &result->error) || !reopen_host(m, &result->error))
        return;
    if (!m->unattended) /* a guardian's attempt holds nobody up */
        m->status = status_listen(m, NULL);
    if (m->side == SIDE_SEND)
        recover_sender(m, options, result);
    else
        recover_receiver(m, options, result);
    result->contested = m->contested;
    result->elapsed_ms = loop_now_ms() - m->started_ms;
}

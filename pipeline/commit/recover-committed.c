/* The source, once it is known whose the guest is: let it run here, or end the old copy. */
#include "recover.h"

#include "fence.h"
#include "started-again.h"
#include "verdict.h"
#include "xmig/cleanup.h"

void recover_say(struct result *result, enum outcome outcome, enum error_kind kind,
                 const char *text)
{
    result->outcome = outcome;
    error_set(&result->error, kind, "%s", text);
}

void recover_look(struct migration *m, struct result *result)
{
    result->state = guest_state(m->guest);
}

/* Somebody has let it run already: only what our fence has done is left to be undone. */
static void leave_running(struct migration *m, struct result *result)
{
    struct error err = { 0 };

    result->outcome = OUTCOME_ROLLED_BACK;
    if (!fence_take_off(m, &err))
        event_say(&m->events, EVENT_WARNING, NULL, "the fence is not taken off: %s", err.text);
}

/* The guest may run here: make it, and drop what the dead process left. */
void recover_let_run(struct migration *m, struct result *result)
{
    struct error err = { 0 };

    if (*result->again) {
        leave_running(m, result);
        return;
    }
    if (!verdict_take_back(m, &err) || !verdict_let_run(m, &err)) {
        if (m->contested) {
            recover_say(result, OUTCOME_UNDECIDED, err.kind, err.text);
            return;
        }
        recover_look(m, result);
        recover_say(result, result->state == RUN_GONE ? OUTCOME_NOWHERE : OUTCOME_PAUSED, err.kind,
                    err.text);
        return;
    }
    recover_look(m, result);
    if (result->state != RUN_RUNNING && !started_again(m, result)) {
        recover_say(result, result->state == RUN_GONE ? OUTCOME_NOWHERE : OUTCOME_PAUSED,
                    ERROR_SYSTEM, "the VM does not run at the source");
        return;
    }
    result->outcome = OUTCOME_ROLLED_BACK;
}

/* Nothing is left to do here once the target has dropped its copy. A person who says that it
 * is dead need not wait for it; but where that word is new, it may yet come back and ask.
 */
void recover_part(struct migration *m, bool may_close, struct result *result)
{
    struct error err = { 0 };

    if (m->contested)
        return;
    if (!verdict_report(m, result->state == RUN_RUNNING, &err)) {
        if (m->verdict == VERDICT_TARGET) {
            recover_say(result, OUTCOME_UNDECIDED, ERROR_REFUSED,
                        "the VM runs at the target, and here: stop one of them");
            return;
        }
        event_say(&m->events, EVENT_NOTE, NULL,
                  "what the target did with its copy is not known (%s); this migration stays "
                  "listed until it has said, or 'xmig recover --peer-is-dead %s'",
                  err.text, m->id);
        if (!may_close)
            return;
    }
    error_clear(&err);
    if ((result->state == RUN_RUNNING || result->state == RUN_GONE || *m->guest->stopped) &&
        !promise_record(m, RECORD_CLOSED, NULL, &err))
        event_say(&m->events, EVENT_WARNING, NULL, "%s", err.text);
}

/* A target that answers is not dead, whatever a person believes. */
bool recover_word_counts(const struct migration *m, const struct recover_options *options)
{
    return options->peer_is_dead && (!m->answered || m->verdict == VERDICT_NOWHERE);
}

void recover_target_runs_it(struct migration *m, struct result *result)
{
    struct error err = { 0 };

    if (!verdict_nobody_else(m, &err)) {
        recover_say(result, OUTCOME_UNDECIDED, err.kind, err.text);
        return;
    }
    result->outcome = OUTCOME_DONE;
    error_clear(&result->error);
    if (!guest_destroy(m->guest, &err) || (journal_last(m->journal) != RECORD_CLOSED &&
                                           !promise_record(m, RECORD_CLOSED, NULL, &err)))
        recover_say(result, OUTCOME_CLEANUP, err.kind, err.text);
    recover_look(m, result);
}

void recover_take_the_proof(struct migration *m, const struct recover_options *options,
                            struct result *result)
{
    error_clear(&result->error);
    (void)started_again(m, result);
    recover_let_run(m, result);
    recover_part(m, options->peer_is_dead, result);
}

/* The operator says that the target can never again run the guest. */
static void take_the_word(struct migration *m, const struct recover_options *options,
                          struct result *result)
{
    struct error err = { 0 };

    if (!recover_word_counts(m, options)) {
        recover_say(result, OUTCOME_UNDECIDED, ERROR_REFUSED,
                    "the target is not dead, it answers: nothing was done. Ask again without "
                    "--peer-is-dead");
        return;
    }
    if (!promise_record(m, RECORD_WORD, NULL, &err)) {
        recover_say(result, OUTCOME_UNDECIDED, err.kind, err.text);
        return;
    }
    m->verdict = VERDICT_SOURCE;
    error_clear(&result->error);
    (void)started_again(m, result);
    recover_let_run(m, result);
    recover_part(m, false, result);
}

bool recover_may_close(const struct recover_options *options, struct result *result)
{
    result->unproven = !options->word;
    if (options->word)
        return true;
    result->outcome = OUTCOME_NOWHERE;
    return false;
}

/* The target's copy died, and the guest is not to go on from the one here either. */
static void end_the_old_copy(struct migration *m, const struct recover_options *options,
                             struct result *result)
{
    AUTO_JSON cJSON *facts = json_new("why", "a person has seen to it");
    struct error err = { 0 };

    if (!recover_may_close(options, result))
        return;
    if (!promise_record(m, RECORD_DONE, facts, &err)) {
        recover_say(result, OUTCOME_NOWHERE, err.kind, err.text);
        return;
    }
    recover_target_runs_it(m, result);
    result->closed = result->outcome == OUTCOME_DONE;
}

/* The last word is COMMIT: only the receiver, or the operator, can tell. A receiver that can
 * still be asked knows better than the operator.
 */
void recover_committed(struct migration *m, const struct recover_options *options,
                       struct result *result)
{
    m->verdict = VERDICT_OPEN;
    m->give_up_knowingly = options->back;
    if (result->state == RUN_RUNNING) {
        recover_say(
            result, OUTCOME_UNDECIDED, ERROR_REFUSED,
            "the VM runs here although it was handed over: nothing was touched. Look whether it "
            "runs at the target too, and stop one of them");
        return;
    }
    if (options->forward && !verdict_note_forward(m, &result->error))
        return;
    if (verdict_seek(m, &result->error))
        recover_target_runs_it(m, result);
    else if (m->verdict == VERDICT_SOURCE)
        recover_take_the_proof(m, options, result);
    else if (options->peer_is_dead)
        take_the_word(m, options, result);
    else if (options->close && m->verdict == VERDICT_NOWHERE)
        end_the_old_copy(m, options, result);
    else
        result->outcome = m->verdict == VERDICT_NOWHERE ? OUTCOME_NOWHERE : OUTCOME_UNDECIDED;
    result->choice = m->ran_there && result->outcome == OUTCOME_UNDECIDED;
}

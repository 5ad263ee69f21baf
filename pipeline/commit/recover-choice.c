/* When the source's copy of a guest is dead and the target has a complete one, or when the
 * target's has run although nobody handed it over, no journal says which of them shall go on:
 * a person does. Until then nothing is decided, so nothing complete is destroyed.
 */
#include "recover.h"

#include "verdict.h"
#include "xmig/cleanup.h"

static bool undecided(struct result *result, const char *text)
{
    recover_say(result, OUTCOME_UNDECIDED, ERROR_REFUSED, text);
    return true;
}

static bool choose(struct result *result, const char *text)
{
    result->choice = true;
    return undecided(result, text);
}

/* Are the disks here as they were when drained, which is where the target's copy would go on from?
 * If the copy here is alive, it must not have run since; else nobody may have written to the disks.
 */
static bool is_as_drained(struct migration *m, const struct result *result, struct error *err)
{
    const cJSON *drained = noted_fact(m, FACT_DRAINED);

    if (result->state == RUN_PAUSED)
        return guest_unchanged(m->guest, err);
    if (!drained)
        return error_set(err, ERROR_SYSTEM,
                         "the journal does not tell what the disks here were like");
    return guest_is_unwritten(m->guest, drained, err);
}

/* Where nothing can prove it, a person's word suffices. */
static bool may_go_forward(struct migration *m, const struct recover_options *options,
                           struct result *result)
{
    struct error err = { 0 };

    if (is_as_drained(m, result, &err))
        return true;
    if (err.kind == ERROR_SYSTEM && options->word)
        return true;
    result->unproven = err.kind == ERROR_SYSTEM;
    error_prefix(&err, "--forward needs the proof that the VM has not run here since its disks "
                       "were copied");
    recover_say(result, OUTCOME_UNDECIDED, err.kind, err.text);
    result->choice = true;
    return false;
}

/* COMMIT, and on from there as after any: fence, look, GO. */
static bool go_forward(struct migration *m, const struct recover_options *options,
                       struct result *result)
{
    struct error err = { 0 };

    if (!may_go_forward(m, options, result))
        return true;
    if (!verdict_nobody_else(m, &err) || !verdict_note_forward(m, &err) ||
        !promise_record(m, RECORD_COMMIT, NULL, &err)) {
        recover_say(result, OUTCOME_UNDECIDED, err.kind, err.text);
        return true;
    }
    if (!guest_fence(m->guest, &err))
        event_say(&m->events, EVENT_WARNING, NULL, "the old copy is not fenced: %s", err.text);
    recover_committed(m, options, result);
    return true;
}

/* The target has a copy that could go on: which of the two does? */
static bool choose_between(struct migration *m, const struct recover_options *options,
                           const char *text, struct result *result)
{
    if (options->forward)
        return go_forward(m, options, result);
    m->give_up_knowingly = options->back;
    return !options->back && choose(result, text);
}

static bool is_complete_there(struct migration *m, const struct recover_options *options,
                              struct result *result)
{
    if (result->state != RUN_GONE)
        return options->forward &&
               undecided(result, "the copy here is alive and the VM's own: 'xmig recover' without "
                                 "--forward lets it go on");
    return choose_between(m, options,
                          "the VM's process here has ended, and the target has a complete copy of "
                          "it, paused, from the moment of the handing over",
                          result);
}

static bool cannot_look(const struct recover_options *options, const struct error *why,
                        struct result *result)
{
    /* A guest that can go on here does not wait for a target that may be gone. */
    if (!options->forward && (result->state != RUN_GONE || options->back || options->peer_is_dead))
        return false;
    result->choice = why->kind == ERROR_REFUSED;
    recover_say(result, OUTCOME_UNDECIDED, why->kind, why->text);
    error_prefix(&result->error, "the VM's process here has ended, and whether the target has a "
                                 "complete copy of it is not known");
    return true;
}

static bool nothing_there(const struct recover_options *options, struct result *result)
{
    return options->forward &&
           undecided(result, "the target has no complete copy that could go on: 'xmig recover' "
                             "without --forward settles this migration");
}

bool recover_choice(struct migration *m, const struct recover_options *options,
                    struct result *result)
{
    struct error err = { 0 };

    if (journal_last(m->journal) != RECORD_PAUSING || result->state == RUN_RUNNING)
        return options->forward &&
               undecided(result, "there is no choice to be made: 'xmig recover' without --forward "
                                 "settles this migration");
    switch (verdict_look(m, &err)) {
    case LOOK_NOTHING:
        break;
    case LOOK_COMPLETE:
        return is_complete_there(m, options, result);
    case LOOK_RAN:
        return choose_between(m, options,
                              "somebody has let the target's copy run before it was handed over: "
                              "what it has done since is there only",
                              result);
    case LOOK_RUNNING:
        return choose_between(m, options,
                              "the VM was started at the target, where somebody has declared this "
                              "host dead",
                              result);
    case LOOK_FAILED:
        return cannot_look(options, &err, result);
    }
    return nothing_there(options, result);
}

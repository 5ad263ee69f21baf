/* A copy that has run is never given back (R12). Until OWNED only another program lets it run, by
 * `cont` at a monitor or `xl unpause`. What the guest has acknowledged since is in this copy only.
 * So the copy is paused and kept, and a person is asked which of the two is to go on.
 */
#include "verdict.h"

#include "xmig/cleanup.h"

/* Note it in the journal, for the process that goes on when we have died. */
static void note_run(struct migration *m, const struct error *why)
{
    AUTO_JSON cJSON *fact = fact_new(FACT_RAN);
    struct error err = { 0 };

    m->ran = true;
    if (noted_fact(m, FACT_RAN))
        return;
    event_say(&m->events, EVENT_WARNING, m->at,
              "%s: it is paused and kept; 'xmig recover' at the source asks which copy goes on",
              why->text);
    cJSON_AddStringToObject(fact, "why", why->text);
    if (!journal_append(m->journal, RECORD_NOTE, fact, &err))
        event_say(&m->events, EVENT_WARNING, m->at, "%s", err.text);
}

bool verdict_never_ran(struct migration *m, struct error *err)
{
    struct error why = { 0 };
    bool calm = copy_never_ran(m->copy, &why);

    if (m->give_up_knowingly || noted_fact(m, FACT_GIVEN_UP))
        return true;
    if (!calm && why.kind == ERROR_REFUSED)
        note_run(m, &why);
    if (noted_fact(m, FACT_RAN))
        m->ran = true;
    if (calm && m->ran)
        error_set(&why, ERROR_REFUSED, "the copy here has run");
    if (err && (!calm || m->ran))
        *err = why;
    return calm && !m->ran;
}

bool verdict_note_given_up(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *fact = fact_new(FACT_GIVEN_UP);

    m->ran = false;
    return !m->give_up_knowingly || noted_fact(m, FACT_GIVEN_UP) ||
           journal_append(m->journal, RECORD_NOTE, fact, err);
}

bool verdict_may_destroy(struct migration *m, struct error *err)
{
    if (!journal_has(m->journal, RECORD_PREPARED) || verdict_never_ran(m, err))
        return true;
    m->verdict = VERDICT_OPEN;
    return false;
}

bool verdict_copy_is_ready(struct migration *m)
{
    return !journal_rebooted_since(m->journal, journal_find(m->journal, RECORD_BEGIN)) &&
           copy_state(m->copy) == RUN_PAUSED;
}

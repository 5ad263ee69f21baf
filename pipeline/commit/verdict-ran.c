/* A copy that has run is never given back (R12). Until OWNED nobody but a stranger's hand lets it
 * run: a monitor's `cont`, `xl unpause`. What the guest then acknowledged is in this copy only, and
 * so it is paused, kept, and a person asked which of the two histories shall go on.
 */
#include "verdict.h"

#include "xmig/cleanup.h"

static const char given_up[] = "given up";

static bool is_noted(const struct migration *m, const char *fact)
{
    const cJSON *record;

    cJSON_ArrayForEach (record, journal_records(m->journal))
        if (!strcmp(json_string_or(record, "fact", ""), fact))
            return true;
    return false;
}

/* In the journal, for whoever goes on when we are dead. */
static void note_run(struct migration *m, const struct error *why)
{
    AUTO_JSON cJSON *fact = verdict_fact("fact", "ran");
    struct error err = { 0 };

    m->ran = true;
    if (is_noted(m, "ran"))
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

    if (m->give_up_knowingly || is_noted(m, given_up))
        return true;
    if (!calm && why.kind == ERROR_REFUSED)
        note_run(m, &why);
    if (is_noted(m, "ran"))
        m->ran = true;
    if (calm && m->ran)
        error_set(&why, ERROR_REFUSED, "the copy here has run");
    if (err && (!calm || m->ran))
        *err = why;
    return calm && !m->ran;
}

bool verdict_note_given_up(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *fact = verdict_fact("fact", given_up);

    m->ran = false;
    return !m->give_up_knowingly || is_noted(m, given_up) ||
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

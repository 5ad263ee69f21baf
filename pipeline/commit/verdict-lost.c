/* LOST: the guest is the target's, and its copy died. A person starts the VM again from its disks
 * here, which ends the migration, or deals with it in another way and says so.
 */
#include "verdict.h"

#include "xmig/cleanup.h"

static bool note(struct migration *m, enum fact fact, const char *who, struct error *err)
{
    AUTO_JSON cJSON *facts = fact_new(fact);

    if (who)
        cJSON_AddStringToObject(facts, "who", who);
    return journal_append(m->journal, RECORD_NOTE, facts, err);
}

bool verdict_runs_again(struct migration *m)
{
    struct error err = { 0 };
    char who[160];

    if (noted_fact(m, FACT_RUNS_AGAIN))
        return true;
    if (journal_last(m->journal) != RECORD_LOST || !copy_runs_again(m->copy, who, sizeof(who)))
        return false;
    event_say(&m->events, EVENT_NOTE, NULL, "the VM was started here again: %s", who);
    if (note(m, FACT_RUNS_AGAIN, who, &err))
        return true;
    event_say(&m->events, EVENT_WARNING, NULL, "%s", err.text);
    return false;
}

bool verdict_see_to(struct migration *m, struct error *err)
{
    return (noted_fact(m, FACT_SEEN_TO) || note(m, FACT_SEEN_TO, NULL, err)) &&
           promise_record(m, RECORD_CLOSED, NULL, err);
}

/* LOST: the guest is the target's, and its copy died. A person starts it again, from its disks
 * here, and when it is seen to run the migration is over; or they see to it in another way, and
 * say so.
 */
#include "verdict.h"

#include "xmig/cleanup.h"

static const char again[] = "runs again";
static const char seen_to[] = "seen to";

static bool is_noted(const struct migration *m, const char *fact)
{
    const cJSON *record;

    cJSON_ArrayForEach (record, journal_records(m->journal))
        if (!strcmp(json_string_or(record, "fact", ""), fact))
            return true;
    return false;
}

static bool note(struct migration *m, const char *fact, const char *who, struct error *err)
{
    AUTO_JSON cJSON *facts = verdict_fact("fact", fact);

    if (who)
        cJSON_AddStringToObject(facts, "who", who);
    return journal_append(m->journal, RECORD_NOTE, facts, err);
}

bool verdict_runs_again(struct migration *m)
{
    struct error err = { 0 };
    char who[160];

    if (is_noted(m, again))
        return true;
    if (journal_last(m->journal) != RECORD_LOST ||
        !copy_runs_again(m->copy, who, sizeof(who)))
        return false;
    event_say(&m->events, EVENT_NOTE, NULL, "the VM was started here again: %s", who);
    if (note(m, again, who, &err))
        return true;
    event_say(&m->events, EVENT_WARNING, NULL, "%s", err.text);
    return false;
}

bool verdict_see_to(struct migration *m, struct error *err)
{
    return (is_noted(m, seen_to) || note(m, seen_to, NULL, err)) &&
           verdict_record(m, RECORD_CLOSED, NULL, err);
}

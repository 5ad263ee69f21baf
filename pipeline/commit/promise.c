/* A promise is written to the journal before this side acts on it. */
#include "verdict.h"

bool promise_record(struct migration *m, enum record record, const cJSON *facts, struct error *err)
{
    const char *name = record_name(record);

    return fault_at(m, name, FAULT_BEFORE, err) && promise_append(m, record, facts, err) &&
           fault_at(m, name, FAULT_AFTER, err);
}

bool promise_append(struct migration *m, enum record record, const cJSON *facts, struct error *err)
{
    const char *name = record_name(record);

    if (!journal_append(m->journal, record, facts, err))
        return error_prefix(err, "%s", name);
    event_emit(&m->events, (struct event){ .kind = EVENT_RECORD, .stage = m->at, .text = name });
    return true;
}

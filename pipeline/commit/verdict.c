/* The commit protocol: whose is the guest? docs/architecture.md has its rules, to which comments
 * refer by number (R1, R2 …); tests/model/commit.pml proves them, docs/recovery.md is for
 * operators.
 *
 * The sender's last words are COMMIT or ABORTED (verdict-send.c), the receiver's OWNED or
 * REFUSED (verdict-recv.c). Each is durable before anything is done or said that follows from it.
 */
#include "verdict.h"

#include "xmig/cleanup.h"

bool verdict_record(struct migration *m, enum record record, const cJSON *facts, struct error *err)
{
    const char *name = record_name(record);

    return fault_at(m, name, FAULT_BEFORE, err) && verdict_append(m, record, facts, err) &&
           fault_at(m, name, FAULT_AFTER, err);
}

bool verdict_append(struct migration *m, enum record record, const cJSON *facts, struct error *err)
{
    const char *name = record_name(record);

    if (!journal_append(m->journal, record, facts, err))
        return error_prefix(err, "%s", name);
    event_emit(&m->events, (struct event){ .kind = EVENT_RECORD, .stage = m->at, .text = name });
    return true;
}

cJSON *verdict_fact(const char *name, const char *text)
{
    cJSON *facts = must(cJSON_CreateObject());

    cJSON_AddStringToObject(facts, name, text);
    return facts;
}

const cJSON *verdict_note(const struct migration *m, enum fact fact)
{
    return fact_find(journal_records(m->journal), fact);
}

bool verdict_note_forward(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *fact = fact_new(FACT_FORWARD);

    return verdict_goes_forward(m) || journal_append(m->journal, RECORD_NOTE, fact, err);
}

bool verdict_goes_forward(const struct migration *m)
{
    return verdict_note(m, FACT_FORWARD) != NULL;
}

void verdict_tell(struct migration *m, const char *state, const char *text)
{
    cJSON *body;

    if (!m->peer)
        return;
    body = verdict_fact("state", state);
    cJSON_AddStringToObject(body, "record", record_name(journal_last(m->journal)));
    if (text)
        cJSON_AddStringToObject(body, "text", text);
    (void)session_send(m->peer, "verdict", body, NULL);
}

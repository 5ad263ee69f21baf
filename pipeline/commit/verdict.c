/* The commit protocol: whose is the guest? docs/architecture.md has its rules, to which comments
 * refer by number (R1, R2 …); tests/model/commit.pml proves them, docs/recovery.md is for
 * operators.
 *
 * The sender's last words are COMMIT or ABORTED (verdict-send.c), the receiver's OWNED or
 * REFUSED (verdict-recv.c). Each is durable before anything is done or said that follows from it.
 */
#include "verdict.h"

#include "xmig/cleanup.h"

const cJSON *noted_fact(const struct migration *m, enum fact fact)
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
    return noted_fact(m, FACT_FORWARD) != NULL;
}

void verdict_tell(struct migration *m, const char *state, const char *text)
{
    cJSON *body;

    if (!m->peer)
        return;
    body = json_new("state", state);
    cJSON_AddStringToObject(body, "record", record_name(journal_last(m->journal)));
    if (text)
        cJSON_AddStringToObject(body, "text", text);
    (void)session_send(m->peer, "verdict", body, NULL);
}

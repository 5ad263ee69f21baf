/* A look: the source asks how the migration stands at the target, and neither side decides. */
#include "verdict.h"

#include "pipeline/handshake.h"
#include "reopen.h"
#include "xmig/cleanup.h"

/* ---- the receiver tells ---- */

/* The journal says PREPARED: can the copy still be handed over? */
static const char *prepared_now(struct migration *m)
{
    if (!verdict_never_ran(m, NULL))
        return m->ran ? "ran" : "wait";
    return verdict_copy_is_ready(m) ? "prepared" : "incomplete";
}

static const char *closed_now(const struct migration *m)
{
    if (journal_has(m->journal, RECORD_RUNNING))
        return "running";
    return journal_has(m->journal, RECORD_LOST) ? "lost" : "returned";
}

static const char *state_now(struct migration *m)
{
    switch (m->journal ? journal_last(m->journal) : RECORD_NONE) {
    case RECORD_BEGIN: /* a receiver that still works may write PREPARED next */
        return reopen_owner_lives(m) ? "wait" : "incomplete";
    case RECORD_PREPARED:
        return prepared_now(m);
    case RECORD_RUNNING:
        return "running";
    case RECORD_LOST:
        return "lost";
    case RECORD_REFUSED:
    case RECORD_RELINQUISHED:
    case RECORD_DESTROYED:
        return "returned";
    case RECORD_CLOSED:
        return closed_now(m);
    default:
        return "wait";
    }
}

void verdict_show(struct migration *m)
{
    verdict_tell(m, state_now(m), NULL);
}

/* ---- the sender hears ---- */

static enum look look_of(const char *state)
{
    static const struct {
        const char *state;
        enum look look;
    } looks[] = {
        { "prepared", LOOK_COMPLETE },  { "ran", LOOK_RAN },
        { "running", LOOK_RUNNING },    { "lost", LOOK_RUNNING },
        { "incomplete", LOOK_NOTHING }, { "returned", LOOK_NOTHING },
        { "unknown", LOOK_NOTHING },
    };

    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
        if (!strcmp(looks[i].state, state))
            return looks[i].look;
    return LOOK_FAILED;
}

static enum look hear(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *message = session_expect(m->peer, "verdict", VERDICT_QUERY_MS, err);
    const char *state = json_string_or(message, "state", "");
    enum look look = look_of(state);

    if (message && look == LOOK_FAILED)
        error_set(err, ERROR_PEER, "the target's answer is '%s': %s", state,
                  json_string_or(message, "text", "no more is known"));
    return look;
}

enum look verdict_look(struct migration *m, struct error *err)
{
    enum look look = LOOK_FAILED;

    loop_clear_interruption(m->loop);
    if (handshake_query(m, (struct query){ .look = true }, err)) {
        look = hear(m, err);
        session_goodbye(m->peer);
    }
    session_free(steal(m->peer));
    loop_clear_interruption(m->loop); /* the query's connection has ended as it should */
    return look;
}

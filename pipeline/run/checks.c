/* Before anything is begun: both sides check, and tell each other what they would do. */
#include "checks.h"

#include "pipeline.h"
#include "xmig/cleanup.h"
#include "xmig/directory.h"
#include "xmig/stage.h"

/* Add the side and the stage to the new refusals. */
static void name_refusals(struct migration *m, enum side side, const char *stage)
{
    cJSON *refusal;

    cJSON_ArrayForEach (refusal, m->refusals) {
        if (cJSON_HasObjectItem(refusal, "side"))
            continue;
        cJSON_AddStringToObject(refusal, "side", side_name(side));
        if (!cJSON_HasObjectItem(refusal, "stage"))
            cJSON_AddStringToObject(refusal, "stage", stage);
    }
}

static bool check_stage(struct migration *m, size_t i, struct error *err)
{
    const struct stage *stage = m->stages[i];
    const struct stage_half *half = half_of(m, stage);
    bool ok;

    m->at = stage->name;
    ok = !half->check || half->check(m, m->states[i], err);
    if (!ok && err->kind != ERROR_REFUSED)
        error_prefix(err, "%s", stage->name);
    return ok && fault_at(m, stage->name, FAULT_CHECK, err);
}

/* Without a journal nothing is begun. */
static bool check_journal(struct migration *m, struct error *err)
{
    if (directory_can_make(m->state_dir, err))
        return true;
    error_prefix(err, "the migration's journal cannot be kept in '%s'", m->state_dir);
    return error_append(err, "; make that possible, or set XMIG_STATE_DIR%s",
                        m->side == SIDE_RECV ? " there (--remote-path 'env XMIG_STATE_DIR=… xmig')"
                                             : "");
}

bool checks_make(struct migration *m, struct error *err)
{
    if (!error_goes_on(err, check_journal(m, err)))
        return false;
    for (size_t i = 0; i < m->stage_count; i++) {
        bool ok = check_stage(m, i, err);

        if (!ok && !error_goes_on(err, false))
            return false;
        name_refusals(m, m->side, m->at);
        if (!ok)
            return error_set(err, ERROR_REFUSED, "refused");
    }
    m->at = NULL;
    return true;
}

bool checks_gather_refusals(struct migration *m, struct error *err)
{
    const cJSON *theirs = m->side == SIDE_SEND ? session_refusals(m->peer) : NULL;
    const cJSON *each;

    if (err->kind != ERROR_REFUSED)
        return false;
    cJSON_ArrayForEach (each, theirs) {
        cJSON *refusal = json_new("text", json_string_or(each, "text", "?"));

        cJSON_AddStringToObject(refusal, "stage", json_string_or(each, "stage", ""));
        cJSON_AddItemToArray(m->refusals, refusal);
    }
    name_refusals(m, side_other(m->side), "");
    err->refusals = m->refusals;
    return error_join(err);
}

static cJSON *own_plan(struct migration *m)
{
    struct plan plan = { .steps = must(cJSON_CreateArray()) };

    for (size_t i = 0; i < m->stage_count; i++) {
        const struct stage_half *half = half_of(m, m->stages[i]);

        plan.stage = m->stages[i]->name;
        if (half->plan)
            half->plan(m, m->states[i], &plan);
    }
    return plan.steps;
}

static void add_plan(struct migration *m, const cJSON *steps, enum side side)
{
    const cJSON *step;

    cJSON_ArrayForEach (step, steps) {
        cJSON *line = json_new("side", side_name(side));

        cJSON_AddStringToObject(line, "stage", json_string_or(step, "stage", ""));
        cJSON_AddStringToObject(line, "text", json_string_or(step, "text", ""));
        cJSON_AddItemToArray(m->plans, line);
    }
}

static bool tell_plan(struct migration *m, const cJSON *plan, struct error *err)
{
    cJSON *body = must(cJSON_CreateObject());

    cJSON_AddItemToObject(body, "plan", cJSON_Duplicate(plan, true));
    return session_send(m->peer, "checked", body, err);
}

bool checks_exchange_plans(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *mine = NULL;
    AUTO_JSON cJSON *theirs = NULL;

    if (m->refusals->child) {
        if (m->side == SIDE_SEND)
            cJSON_Delete(session_expect(m->peer, "checked", BARRIER_MS, err));
        return error_set(err, ERROR_REFUSED, "refused");
    }
    mine = own_plan(m);
    if (!tell_plan(m, mine, err))
        return false;
    theirs = session_expect(m->peer, "checked", BARRIER_MS, err);
    if (!theirs)
        return false;
    m->plans = must(cJSON_CreateArray());
    add_plan(m, mine, m->side);
    add_plan(m, cJSON_GetObjectItemCaseSensitive(theirs, "plan"), side_other(m->side));
    return true;
}

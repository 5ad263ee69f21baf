/* --fault: make a named point fail, so that what happens then can be seen. */
#include "xmig/migration.h"

#include <signal.h>
#include <stdio.h>

#include "xmig/cleanup.h"
#include "xmig/stage.h"

static const char *const phase_names[] = {
    [FAULT_CHECK] = "check", [FAULT_BEGIN] = "begin",   [FAULT_END] = "end",
    [FAULT_UNDO] = "undo",   [FAULT_FINISH] = "finish", [FAULT_BEFORE] = "before",
    [FAULT_AFTER] = "after",
};
static const char *const how_names[] = {
    [FAULT_FAIL] = "fail",
    [FAULT_LOSE] = "lose",
    [FAULT_CRASH] = "crash",
    [FAULT_STOP] = "stop",
};
static const char *const side_names[] = { [SIDE_SEND] = "send", [SIDE_RECV] = "recv" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool choose(const char *word, const char *const *names, size_t count, int *chosen)
{
    for (size_t i = 0; word && i < count; i++) {
        if (!strcmp(word, names[i])) {
            *chosen = (int)i;
            return true;
        }
    }
    return false;
}

static bool point_fits_phase(const char *point, enum fault_phase phase)
{
    if (phase == FAULT_BEFORE || phase == FAULT_AFTER)
        return record_from_name(point) != RECORD_NONE;
    return stage_find(point) != NULL;
}

/* A fault that can never strike would pass for a drill that went well. Notes are facts, which
 * are written at any time.
 */
static bool side_writes(enum side side, const char *point)
{
    enum record record = record_from_name(point);

    for (int last = RECORD_NONE; last < RECORD_COUNT; last++)
        if (record != RECORD_NOTE && record_permitted(side, (enum record)last, record))
            return true;
    return record == RECORD_NONE;
}

bool fault_parse(const char *text, struct fault *fault, struct error *err)
{
    AUTO_FREE char *copy = must(strdup(text));
    char *rest = copy;
    const char *point = strsep(&rest, ":");
    const char *phase = strsep(&rest, ":");
    const char *side = strsep(&rest, ":");
    const char *how = rest ? rest : "fail";
    int chosen_phase, chosen_side, chosen_how;

    if (!choose(phase, phase_names, COUNT(phase_names), &chosen_phase) ||
        !choose(side, side_names, COUNT(side_names), &chosen_side) ||
        !choose(how, how_names, COUNT(how_names), &chosen_how))
        return error_set(err, ERROR_REFUSED,
                         "'%s' is not STAGE:check|begin|end|undo|finish:send|recv[:HOW] nor "
                         "RECORD:before|after:send|recv[:HOW] (HOW: fail, lose, crash, stop)",
                         text);
    if (strlen(point) >= sizeof(fault->point) ||
        !point_fits_phase(point, (enum fault_phase)chosen_phase))
        return error_set(err, ERROR_REFUSED, "'%s' is no stage or record with a phase '%s'", point,
                         phase);
    if (!side_writes((enum side)chosen_side, point))
        return error_set(err, ERROR_REFUSED, "'%s' never writes %s", side, point);
    snprintf(fault->point, sizeof(fault->point), "%s", point);
    fault->phase = (enum fault_phase)chosen_phase;
    fault->side = (enum side)chosen_side;
    fault->how = (enum fault_how)chosen_how;
    return true;
}

char *fault_print(const struct fault *fault)
{
    char *text;

    if (asprintf(&text, "%s:%s:%s:%s", fault->point, phase_names[fault->phase],
                 side_names[fault->side], how_names[fault->how]) < 0)
        abort();
    return text;
}

static bool strike(struct migration *m, struct error *err)
{
    const struct fault *fault = &m->options->fault;

    switch (fault->how) {
    case FAULT_CRASH:
        if (!m->options->crash_is_simulated)
            raise(SIGKILL);
        return error_set(err, ERROR_CRASH, "crashed at %s as asked by --fault", fault->point);
    case FAULT_STOP:
        raise(SIGSTOP);
        return true;
    case FAULT_LOSE:
        if (m->peer)
            session_cut(m->peer);
        return true;
    case FAULT_FAIL:
        break;
    }
    return error_set(err, fault->phase == FAULT_CHECK ? ERROR_REFUSED : ERROR_SYSTEM,
                     "failed at %s:%s:%s as asked by --fault", fault->point,
                     phase_names[fault->phase], side_names[fault->side]);
}

bool fault_at(struct migration *m, const char *point, enum fault_phase phase, struct error *err)
{
    const struct fault *fault = &m->options->fault;

    if (fault->side != m->side || fault->phase != phase || strcmp(fault->point, point) != 0)
        return true;
    return strike(m, err);
}

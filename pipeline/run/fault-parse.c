/* Which point does --fault name? */
#include "xmig/fault.h"

#include <stdio.h>

#include "xmig/cleanup.h"
#include "xmig/record.h"
#include "xmig/stage.h"

static const char *const side_names[] = { [SIDE_SEND] = "send", [SIDE_RECV] = "recv" };

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

    if (!choose(phase, fault_phase_names, FAULT_PHASES, &chosen_phase) ||
        !choose(side, side_names, 2, &chosen_side) ||
        !choose(how, fault_how_names, FAULT_HOWS, &chosen_how))
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

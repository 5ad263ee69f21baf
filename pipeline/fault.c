/* --fault: make a named point fail, so that what happens then can be seen. */
#include "xmig/move.h"

#include <signal.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

const char *const fault_phase_names[FAULT_PHASES] = {
    [FAULT_CHECK] = "check", [FAULT_BEGIN] = "begin",   [FAULT_END] = "end",
    [FAULT_UNDO] = "undo",   [FAULT_FINISH] = "finish", [FAULT_BEFORE] = "before",
    [FAULT_AFTER] = "after",
};
const char *const fault_how_names[FAULT_HOWS] = {
    [FAULT_FAIL] = "fail",
    [FAULT_LOSE] = "lose",
    [FAULT_CRASH] = "crash",
    [FAULT_STOP] = "stop",
};

char *fault_print(const struct fault *fault)
{
    return formatted("%s:%s:%s:%s", fault->point, fault_phase_names[fault->phase],
                     side_name(fault->side), fault_how_names[fault->how]);
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
    case FAULT_HOWS:
        break;
    }
    return error_set(err, fault->phase == FAULT_CHECK ? ERROR_REFUSED : ERROR_SYSTEM,
                     "failed at %s:%s:%s as asked by --fault", fault->point,
                     fault_phase_names[fault->phase], side_name(fault->side));
}

bool fault_at(struct migration *m, const char *point, enum fault_phase phase, struct error *err)
{
    const struct fault *fault = &m->options->fault;

    if (m->policy && !policy_permits_faults(m->policy))
        return true;
    if (fault->side != m->side || fault->phase != phase || strcmp(fault->point, point) != 0)
        return true;
    return strike(m, err);
}

/* --fault: a named point that fails, so that what happens then can be seen. */
#ifndef XMIG_FAULT_H
#define XMIG_FAULT_H

#include "xmig/error.h"
#include "xmig/side.h"

/* Make a named point fail: STAGE:PHASE:SIDE[:HOW] or RECORD:before|after:SIDE[:HOW]. */
struct fault {
    char point[32]; /* a stage's or a record's name; "": no fault */
    enum fault_phase {
        FAULT_CHECK,
        FAULT_BEGIN,
        FAULT_END,
        FAULT_UNDO,
        FAULT_FINISH,
        FAULT_BEFORE,
        FAULT_AFTER,
        FAULT_PHASES
    } phase;
    enum side side;
    enum fault_how {
        FAULT_FAIL,  /* an error, as if the work had failed */
        FAULT_LOSE,  /* the connection to the peer breaks */
        FAULT_CRASH, /* this process dies at once */
        FAULT_STOP,  /* this process is stopped, as by SIGSTOP */
        FAULT_HOWS
    } how;
};

extern const char *const fault_phase_names[FAULT_PHASES];
extern const char *const fault_how_names[FAULT_HOWS];

bool fault_parse(const char *text, struct fault *fault, struct error *err);
char *fault_print(const struct fault *fault); /* the caller frees it */

#endif

/* What came of a migration, or of settling one. */
#ifndef XMIG_OUTCOME_H
#define XMIG_OUTCOME_H

#include "xmig/error.h"
#include "xmig/vm.h"

/* Where the VM runs now; also the exit status. A number never changes its meaning. These comments
 * are the source of every other table of them, which tests/docs/exit-status compares.
 */
enum outcome {
    OUTCOME_DONE = 0,        /* at the target: done as asked */
    OUTCOME_LOCAL_ERROR = 1, /* at the source: nothing was begun */
    OUTCOME_USAGE = 2,       /* at the source: the command line makes no sense */
    OUTCOME_REFUSED = 3,     /* at the source: checks refused */
    OUTCOME_ROLLED_BACK = 4, /* at the source: failed and undone */
    OUTCOME_PAUSED = 5,      /* paused at the source: it runs nowhere */
    OUTCOME_UNDECIDED = 6,   /* undecided: start it nowhere */
    OUTCOME_CLEANUP = 7,     /* at the target: something of the old copy is left */
    OUTCOME_NOWHERE = 8,     /* nowhere: its copy died */
    OUTCOME_SIGNAL = 128,    /* at the source: undone on signal N */
};

const char *outcome_name(enum outcome outcome);

/* How a migration, or an attempt to settle one, ended. */
struct result {
    enum outcome outcome;
    char stage[32];       /* where it failed; "" */
    struct error error;   /* why; kind ERROR_NONE after success */
    enum run_state state; /* the VM's at the side that reports */
    uint64_t elapsed_ms;
    uint64_t downtime_ms; /* as the sender saw it; 0: not paused */
    bool crashed;         /* a simulated crash: nothing was undone */
    bool closed;          /* a person has closed it, and knows where the VM is */
    bool contested;       /* somebody else has the VM at the source: the error names them */
    bool choice;          /* a person chooses: recover --forward or --back */
    bool unproven;        /* … and --forward lacks its proof: it needs the person's word */
    char stopped[512];    /* why the VM does not run at the source; the cause is not xmig */
    char again[160];      /* source: the process or domain that somebody started it again as */
};

#endif

/* What came of a migration, or of settling one. */
#ifndef XMIG_OUTCOME_H
#define XMIG_OUTCOME_H

#include "xmig/error.h"
#include "xmig/vm.h"

/* Where the VM runs now; also the exit status. Part of the interface: a number
 * never changes its meaning.
 */
enum outcome {
    OUTCOME_DONE = 0,        /* done as asked; after a send the VM runs at the target */
    OUTCOME_LOCAL_ERROR = 1, /* failed before anything was begun; VM untouched */
    OUTCOME_USAGE = 2,       /* the command line makes no sense; VM untouched */
    OUTCOME_REFUSED = 3,     /* a check said no; VM untouched at the source */
    OUTCOME_ROLLED_BACK = 4, /* failed; VM runs at the source, safe to try again */
    OUTCOME_PAUSED = 5,      /* failed; VM paused at the source */
    OUTCOME_UNDECIDED = 6,   /* xmig recover ID */
    OUTCOME_CLEANUP = 7,     /* VM runs at the target; cleaning up was incomplete */
    OUTCOME_NOWHERE = 8,     /* VM runs nowhere */
    OUTCOME_SIGNAL = 128,    /* + signal: rolled back because of it */
};

const char *outcome_name(enum outcome outcome);

/* What came of it. */
struct result {
    enum outcome outcome;
    char stage[32];       /* where it failed; "" */
    struct error error;   /* why; kind ERROR_NONE after success */
    enum run_state state; /* the VM's at the side that reports */
    uint64_t elapsed_ms;
    uint64_t downtime_ms; /* as the sender saw it; 0: not paused */
    bool crashed;         /* a simulated crash: nothing was undone */
    bool closed;          /* as a person asked: where the VM is they know better */
    bool contested;       /* somebody else has the VM at the source: the error names them */
    bool choice;          /* a person chooses: recover --forward or --back */
    bool unproven;        /* … and what would prove --forward right is missing: their word does */
    char stopped[512];    /* why it does not run at the source, where nothing of ours keeps it */
    char again[160];      /* source: the process or domain that somebody started it again as */
};

#endif

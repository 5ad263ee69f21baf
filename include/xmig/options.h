/* What the user asked for. */
#ifndef XMIG_OPTIONS_H
#define XMIG_OPTIONS_H

#include "xmig/fault.h"
#include "xmig/session.h"
#include "xmig/vm.h"

/* --max-pause was not given: 10 s and --max-downtime, without RAM that --ram sends meanwhile. */
#define MAX_PAUSE_DEFAULT UINT64_MAX

/* What the user asked for. Borrowed by the migration. */
struct migration_options {
    struct vm_options vm;
    const char *const *without; /* names of stages left out; NULL-terminated; NULL */
    const char *until;          /* stop and roll back after this stage; NULL */
    bool dry_run;
    const char *fence_command; /* what fences the old copy besides the host; NULL */
    const char *on_done;       /* what is run when the move has ended; NULL */
    struct fault fault;
    bool compress;         /* what goes to the target, RAM and disks */
    uint64_t bandwidth;    /* --bwlimit: bytes a second, RAM and all disks together; 0: no limit */
    uint64_t lease_ms;     /* the receiver keeps the prepared copy this long; 0: for ever */
    uint64_t patience_ms;  /* after a break the sender seeks a verdict this long */
    uint64_t deadline_ms;  /* give up and roll back when the move takes longer; 0: never */
    uint64_t max_pause_ms; /* … when the guest is paused longer; 0: never; MAX_PAUSE_DEFAULT */
    uint64_t stall_ms;     /* a mirror without progress for so long has stalled */
    uint64_t poll_ms;      /* how often a mirror is asked */
    uint64_t retry_ms; /* before a target that was not reached is asked again; then twice that */
    struct session_timing timing;
    bool guardian;           /* start one that goes on when this process has gone */
    bool crash_is_simulated; /* --fault …:crash ends the pipeline, not the process: for tests */
};

extern const struct migration_options migration_default_options;

/* The target counts its lease from when it misses us, which may be `lost_ms` after we miss it:
 * who outlasts that hears the refusal, and need not leave the guest standing still between two
 * hosts that are well. Where the lease has no end, neither fits; then the patience stays.
 */
void migration_fit_patience(struct migration_options *options);

#endif

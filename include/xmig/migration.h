/* One migration, seen from one side: what a stage may use, how the pipeline
 * runs it, and what came of it.
 */
#ifndef XMIG_MIGRATION_H
#define XMIG_MIGRATION_H

#include "xmig/event.h"
#include "xmig/host.h"
#include "xmig/journal.h"
#include "xmig/loop.h"
#include "xmig/process.h"
#include "xmig/session.h"
#include "xmig/transport.h"

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
        FAULT_AFTER
    } phase;
    enum side side;
    enum fault_how {
        FAULT_FAIL,  /* an error, as if the work had failed */
        FAULT_LOSE,  /* the connection to the peer breaks */
        FAULT_CRASH, /* this process dies at once */
        FAULT_STOP,  /* this process is stopped, as by SIGSTOP */
    } how;
};

bool fault_parse(const char *text, struct fault *fault, struct error *err);
char *fault_print(const struct fault *fault); /* the caller frees it */

/* --max-pause was not given: 10 s and --max-downtime, without RAM that --ram sends meanwhile. */
#define MAX_PAUSE_DEFAULT UINT64_MAX

/* What the user asked for. Borrowed by the migration. */
struct migration_options {
    struct host_options host;
    const char *const *without; /* names of stages left out; NULL-terminated; NULL */
    const char *until;          /* stop and roll back after this stage; NULL */
    bool dry_run;
    const char *fence_command; /* what fences the old copy besides the host; NULL */
    struct fault fault;
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

/* Whose is the guest? Only the commit protocol (pipeline/commit/verdict*.c) changes it. */
enum verdict {
    VERDICT_SOURCE, /* the source's: at first, and again after a proof */
    VERDICT_OPEN,   /* PREPARED (recv) or COMMIT (send) is written; only leave */
    VERDICT_TARGET, /* the target's, and it runs */
    VERDICT_NOWHERE /* the target's, and its copy died */
};

struct stage;

enum {
    MIGRATION_STAGES_MAX = 16
};

struct migration {
    enum side side;
    char id[17];
    char token[33];
    const char *state_dir;   /* all migrations' */
    const char *runtime_dir; /* all migrations' */
    char *own_state_dir;     /* this one's */
    char *own_runtime_dir;
    struct identity identity;
    struct loop *loop;
    struct session *peer;
    struct child *control;       /* sender: what carries the session; or NULL */
    struct transport *transport; /* sender */
    struct receiver_door *door;  /* receiver */
    struct listener *status;     /* sender: answers who asks what it is doing */
    struct host *host;
    struct journal *journal; /* from the first run on */
    struct journal_hook journal_hook;
    const struct migration_options *options;
    struct event_sink events;
    const char *vm;         /* as the user wrote it; sender */
    cJSON *params;          /* describe()'s */
    cJSON *plans;           /* --dry-run: both sides', array of {"side","stage","text"} */
    cJSON *refusals;        /* of the checks, the source's first: array of the same */
    char peer_machine[40];  /* the peer's machine id, from its hello */
    const char *peer_name;  /* for messages: "host", or "the source" */
    char peer_reached[128]; /* receiver: the source as a person reaches it; "": not known */
    uint64_t alone_until_s; /* the peer is lost: until then (UNIX time) we wait; 0: it is not */
    enum verdict verdict;
    bool conversing_anew;   /* `peer` is a later connection, for a query: no stages there */
    bool answered;          /* sender: the receiver was asked, and it knows this migration */
    bool prepared;          /* receiver: the disks here are complete */
    bool ran_there;         /* sender: the target's copy has run although it was not handed over */
    bool ran;               /* receiver: the same, of the copy here */
    bool heard_ready;       /* sender: the target may be PREPARED */
    bool heard_returned;    /* sender: … and has given its copy up */
    bool called_off;        /* sender: by a person, who does not want to wait for a silent target */
    bool asked;             /* receiver: m->peer is a QUERY, which awaits a verdict */
    int pending_control[2]; /* receiver: a new control connection came in; -1 */
    const struct stage *stages[MIGRATION_STAGES_MAX];
    void *states[MIGRATION_STAGES_MAX];
    struct session_station stations[MIGRATION_STAGES_MAX + 1];
    size_t stage_count;
    size_t entered;         /* stages whose run was entered */
    const char *at;         /* the stage's name, for messages */
    bool settling;          /* this is recover */
    bool unattended;        /* … by the guardian: nobody is there to be asked, nobody is ended */
    unsigned questions;     /* sender: connections made to ask for a verdict */
    bool give_up_knowingly; /* a person gives the target's copy up, though it may have run */
    bool said_go;           /* sender: by this process, once at least */
    bool contested;         /* sender: somebody else runs the VM here, or writes to its images */
    bool until_reached;
    bool crashed; /* a simulated crash: do nothing more */
    uint64_t started_ms;
    uint64_t paused_ms;  /* sender: when the guest was paused; 0 */
    uint64_t sent_ms;    /* sender: when the last of RAM was through; then when GO was said */
    uint64_t running_ms; /* sender: when the target was known to run it; 0 */
};

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

/**
 * Prepare `m`: zeroed, with the directories and an id. `options` is borrowed.
 * A receiver's id comes with the peer's hello.
 */
void migration_init(struct migration *m, enum side side, struct loop *loop,
                    const struct migration_options *options, const char *state_dir,
                    const char *runtime_dir);

/* The paths of this migration, once its id is known; makes the runtime directory. */
bool migration_set_id(struct migration *m, const char *id, struct error *err);

/* The context for this migration's host. */
void migration_host_context(struct migration *m, struct host_context *context);

/* Remove the sockets that a dead process of this migration left behind. */
void migration_sweep(const struct migration *m);

/* Frees what the migration owns (not the loop, not the transport). */
void migration_done(struct migration *m);

/* ---- sender ---- */

/* Choose the stages, reach the peer, say hello, hear its. `m->vm`, `m->transport` and
 * `m->host` (attached) are set; the transport and the host are then the migration's.
 */
bool migration_connect(struct migration *m, struct error *err);

/* ---- receiver ---- */

struct serve_options {
    const char *state_dir;   /* all migrations' */
    const char *runtime_dir; /* all migrations' */
    struct event_sink events;
    const char *peer_address;                 /* where the connection comes from; NULL: not known */
    void (*named)(void *arg, const char *id); /* the peer has said which migration; NULL */
    void *named_arg;
    /* For tests that have both sides, and many lives of them, in one process. */
    const struct identity *identity; /* NULL: this machine's */
    struct journal_hook journal_hook;
    bool crash_is_simulated;
};

/**
 * `xmig recv`: serve one peer on two descriptors (taken; they may be the same one), whether it
 * moves a VM here or asks for a verdict. Never fails to fill `result`.
 */
void serve_run(struct loop *loop, int in_fd, int out_fd, const struct serve_options *options,
               struct result *result);

/* ---- both ---- */

/**
 * Run the whole of it: check, each stage in step with the peer, finish; or
 * undo; or leave. Never fails to fill `result`.
 */
void pipeline_run(struct migration *m, struct result *result);

/* A fault point: false with `err` set when --fault names it. */
bool fault_at(struct migration *m, const char *point, enum fault_phase phase, struct error *err);

/* ---- the commit protocol; pipeline/commit/verdict*.c ---- */

/* Append to the journal, with --fault's points around it, and tell. */
bool verdict_record(struct migration *m, enum record record, const cJSON *facts, struct error *err);

/* Sender: write COMMIT, say GO, and stay until there is a verdict. */
bool verdict_commit(struct migration *m, struct error *err);

/* Receiver: all is sealed: write PREPARED, say ready, wait for GO or the lease. */
bool verdict_await(struct migration *m, struct error *err);

/* ---- xmig recover; pipeline/commit/recover.c ---- */

struct recover_options {
    bool peer_is_dead; /* the operator's word */
    bool discard;      /* receiver: delete the complete disks of a copy that was given back */
    bool forward;      /* sender: the target's complete copy goes on, for the one here is dead */
    bool back;         /* sender: the target's copy is given up; the VM is here, as its disks are */
    bool close; /* a person has seen to a guest that died at the target: nothing is left to do */
    bool lease_is_over; /* receiver: the sender has not come back to a prepared copy in time */
    bool word;          /* what cannot be proven for --forward, the operator vouches for */
};

/**
 * Settle migration m->id as far as that can be done without a guess. m->journal is
 * open, m->side is its side; a sender's m->transport leads to the peer its journal names.
 * Never fails to fill `result`.
 */
void recover_run(struct migration *m, const struct recover_options *options, struct result *result);

/* Does the process that began it live, and say that it is at work? `*status` (the caller
 * frees it) is what it says.
 */
bool recover_owner_at_work(struct migration *m, char **status);

/* Has the process that says this lost the other side, and waits for it? */
bool recover_status_is_alone(const char *status);

#endif

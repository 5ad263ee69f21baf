/* One migration, seen from one side: what a stage may use. */
#ifndef XMIG_MOVE_H
#define XMIG_MOVE_H

#include "xmig/copy-calls.h"
#include "xmig/event.h"
#include "xmig/guest-calls.h"
#include "xmig/journal.h"
#include "xmig/lanes.h"
#include "xmig/loop.h"
#include "xmig/options.h"
#include "xmig/outcome.h"
#include "xmig/policy.h"
#include "xmig/process.h"
#include "xmig/session.h"

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
    struct link *control;        /* sender: what carries the session; or NULL */
    struct transport *transport; /* sender */
    struct receiver_door *door;  /* receiver */
    struct listener *status;     /* sender: answers who asks what it is doing */
    struct guest *guest;         /* sender */
    struct copy *copy;           /* receiver */
    struct policy *policy;       /* receiver: what the sender may do; borrowed; NULL: all */
    struct journal *journal;     /* from the first run on */
    struct journal_hook journal_hook;
    const struct migration_options *options;
    struct event_sink events;
    struct session_history history; /* shared with a peer that knows of it */
    const char *vm;                 /* as the user wrote it; sender */
    cJSON *params;                  /* describe()'s */
    cJSON *plans;                   /* --dry-run: both sides', array of {"side","stage","text"} */
    cJSON *refusals;                /* of the checks, the source's first: array of the same */
    char peer_machine[40];          /* the peer's machine id, from its hello */
    const char *peer_name;          /* for messages: "host", or "the source" */
    char peer_reached[128];         /* receiver: the source as a person reaches it; "": not known */
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
    uint64_t sent_ms;    /* sender: when the last of RAM was through; 0 */
    uint64_t go_ms;      /* sender: when GO was said last; 0 */
    uint64_t running_ms; /* sender: when the target was known to run it; 0 */
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

/* The context for this migration's guest or copy. */
void migration_vm_context(struct migration *m, struct vm_context *context);

/* Remove the sockets that a dead process of this migration left behind. */
void migration_sweep(const struct migration *m);

/* Frees what the migration owns (not the loop, not the transport). */
void migration_done(struct migration *m);

/* A fault point: false with `err` set when --fault names it. */
bool fault_at(struct migration *m, const char *point, enum fault_phase phase, struct error *err);

#endif

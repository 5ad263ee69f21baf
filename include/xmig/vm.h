/* What a VM's two objects have in common: the guest at the source (guest.h) and the copy
 * at the target (copy.h).
 *
 * `params` is the JSON object that travels from the guest's describe() to the copy. The stages
 * read only the members of vm-params.h; all others are the hypervisor's own.
 */
#ifndef XMIG_VM_H
#define XMIG_VM_H

#include "xmig/event.h"
#include "xmig/json.h"
#include "xmig/loop.h"
#include "xmig/plan.h"

enum run_state {
    RUN_UNKNOWN, /* the hypervisor could not be asked */
    RUN_GONE,    /* there is no such VM (any more) */
    RUN_PAUSED,  /* the VM exists, and no vCPU runs */
    RUN_RUNNING,
};

const char *run_state_name(enum run_state state);

enum ram_mode {
    RAM_AUTO,     /* the hypervisor chooses what is safe */
    RAM_LIVE,     /* passes until the rest fits the downtime */
    RAM_ONE_PASS, /* one live pass, the rest with the guest stopped */
    RAM_STOPPED,  /* the guest is stopped for all of it */
};

/* What the user asked for at the source, as far as a hypervisor needs it. Borrowed. At the target
 * only `mirrors_disks` is set: what the copy needs besides goes into `params`.
 */
struct vm_options {
    const char *new_name;      /* --name; NULL: the same */
    const cJSON *disk_targets; /* --disk NAME=PATH: object NAME → PATH; NULL */
    const char *volume_group;  /* --create-volumes VG, at the target; NULL */
    const cJSON *bridges;      /* --bridge OLD=NEW: object OLD → NEW; NULL */
    const cJSON *overwrite;    /* --overwrite NAME: object NAME → true; NULL */
    const cJSON *shared;       /* --shared NAME: object NAME → true; NULL */
    const cJSON *lose;         /* --lose DISK=WHAT: object DISK → {WHAT: true}; NULL */
    const cJSON *trust;        /* --trust PATH: object PATH → true; NULL */
    const cJSON *eject;        /* --eject NAME: object NAME → true; NULL */
    const cJSON *despite;      /* --despite FAULT: object FAULT → true; NULL */
    const char *device_model;  /* --device-model, at the target; NULL: as at the source */
    enum ram_mode ram;         /* --ram */
    uint64_t max_downtime_ms;  /* --max-downtime */
    bool has_deadline;         /* --deadline is given: until then the hypervisor does not give up */
    bool unmanaged;            /* --unmanaged: a manager's VM, too */
    bool mirrors_disks;        /* false: --without drive-mirror, both hosts share the images */
};

struct policy;

/* What a guest or a copy may use. Borrowed; outlives both. */
struct vm_context {
    struct loop *loop;
    struct event_sink events;
    const char *id;          /* the migration's */
    const char *state_dir;   /* of this migration: STATE_DIR/ID; exists once it began */
    const char *runtime_dir; /* of this migration: RUNTIME_DIR/ID, mode 0700 */
    struct vm_options options;
    /* At the target: a program that the source names is this host's own, or one that this policy
     * names; NULL: there is none.
     */
    const struct policy *policy;
    /* Write a fact to the journal, durably. Note each thing *before* it is made: after a crash
     * `xmig recover` cleans up what was noted, and touches nothing else. `fact` is borrowed.
     */
    bool (*note)(void *arg, const cJSON *fact, struct error *err);
    void *note_arg;
};

#endif

/* What a stage may ask of this machine's hypervisor.
 *
 * A host is one migration's view of one VM, at the source or at the target.
 * Differences between hypervisors live behind this table and nowhere else.
 *
 * `params` is the JSON object that travels from the source's describe() to
 * the target. The stages know of it only:
 *     "name"   what the VM shall be called at the target
 *     "disks"  array of {"name": "vda", "size": virtual bytes}
 *     "memory" bytes of guest RAM
 * whatever else the two halves of a host need is theirs.
 */
#ifndef XMIG_HOST_H
#define XMIG_HOST_H

#include "xmig/event.h"
#include "xmig/json.h"
#include "xmig/loop.h"
#include "xmig/plan.h"

enum run_state {
    RUN_UNKNOWN, /* it could not be asked */
    RUN_GONE,    /* there is no such VM (any more) */
    RUN_PAUSED,  /* it exists, and no vCPU runs */
    RUN_RUNNING,
};

const char *run_state_name(enum run_state state);

struct mirror_state {
    bool ready;      /* caught up: every further write is sent along */
    uint64_t done;   /* bytes */
    uint64_t total;  /* bytes; grows while the guest writes; 0: it still looks how much there is */
    uint64_t zeroed; /* before that: so many bytes of the target have been made zero */
};

enum ram_mode {
    RAM_AUTO,     /* the host chooses what is safe */
    RAM_LIVE,     /* passes until the rest fits the downtime */
    RAM_ONE_PASS, /* one live pass, the rest with the guest stopped */
    RAM_STOPPED,  /* the guest is stopped for all of it */
};

/* What the user asked for, as far as a hypervisor is concerned. Borrowed. */
struct host_options {
    const char *new_name;      /* --name; NULL: the same */
    const cJSON *disk_targets; /* --disk NAME=PATH: object NAME → PATH; NULL */
    const cJSON *bridges;      /* --bridge OLD=NEW: object OLD → NEW; NULL */
    const cJSON *overwrite;    /* --overwrite NAME: object NAME → true; NULL */
    const cJSON *shared;       /* --shared NAME: object NAME → true; NULL */
    const cJSON *lose;         /* --lose DISK=WHAT: object DISK → {WHAT: true}; NULL */
    const cJSON *trust;        /* --trust PATH: object PATH → true; NULL */
    const cJSON *eject;        /* --eject NAME: object NAME → true; NULL */
    const char *device_model;  /* --device-model, at the target; NULL: as at the source */
    enum ram_mode ram;         /* --ram */
    uint64_t max_downtime_ms;  /* --max-downtime */
    bool has_deadline;         /* --deadline: until then it is not the host who gives up */
    bool mirrors_disks;        /* false: --without drive-mirror, the images are shared */
};

/* What a host may use. Borrowed; outlives the host. */
struct host_context {
    struct loop *loop;
    struct event_sink events;
    const char *id;          /* the migration's */
    const char *state_dir;   /* of this migration: STATE_DIR/ID; exists once it began */
    const char *runtime_dir; /* of this migration: RUNTIME_DIR/ID, mode 0700 */
    struct host_options options;
    /* Write a fact to the journal, durably. A host notes what it has made *before* that
     * can be mistaken for somebody else's, so that `xmig recover` can clean up after a
     * crash and nothing else is ever touched. `fact` is borrowed.
     */
    bool (*note)(void *arg, const cJSON *fact, struct error *err);
    void *note_arg;
};

/* Implementations embed this first. */
struct host {
    const struct host_ops *ops;
    struct host_context context;
    /* Source: why the guest does not run, though it is not we who keep it from running: it has
     * turned itself off, it has panicked, somebody has stopped it. "": nothing of the kind is
     * known.
     */
    char stopped[512];
    char called[128]; /* source: the VM's name, as the hypervisor has it; "": not known */
};

/* What ram_send() tells while it works. Called on the loop's thread as
 * sequential code.
 */
struct ram_hooks {
    /* Just before the guest may be paused for good. False: stop, do not pause. */
    bool (*pausing)(void *arg, struct error *err);
    /* The guest stands still now: what is left should take no longer than it must. NULL. */
    void (*paused)(void *arg);
    void *arg;
};

static inline void ram_hooks_paused(const struct ram_hooks *hooks)
{
    if (hooks->paused)
        hooks->paused(hooks->arg);
}

struct host_ops {
    const char *name;    /* the word before ':' in a VM's name */
    const char *summary; /* for --help and `xmig stages` */
    bool made_up;        /* its VMs are no real ones */

    struct host *(*create)(const struct host_context *context);
    void (*free)(struct host *host); /* lets go; changes nothing */

    /* Can this machine do it at all? ERROR_REFUSED says what is missing. */
    bool (*available)(struct error *err);
    /* Does this machine have a VM that `vm` can mean? Touches nothing. */
    bool (*knows)(const char *vm);
    /* Add the names of those that it has to the array `names`: for whoever has mistyped one. NULL.
     */
    void (*vms)(cJSON *names);

    /* ---- at the source, in the order of a migration ---- */

    /* Find the VM and connect to it. Refuses what cannot be moved. */
    bool (*attach)(struct host *host, const char *vm, struct error *err);
    /* Everything the target must know. Touches nothing, but may put a proof beside an image
     * that both hosts shall share, which remember() or free() removes.
     */
    bool (*describe)(struct host *host, cJSON *params, struct error *err);
    void (*plan_send)(struct host *host, struct plan *plan);
    /* Facts for the journal by which reattach() finds this VM again. */
    bool (*remember)(struct host *host, cJSON *facts, struct error *err);

    /* Mirror `disk` into the NBD export of its name behind the unix socket `path`. */
    bool (*mirror_start)(struct host *host, const char *disk, const char *path, struct error *err);
    bool (*mirror_state)(struct host *host, const char *disk, struct mirror_state *state,
                         struct error *err);
    /* Wait until a mirror may have caught up, at most `timeout_ms`. NULL: only time tells. */
    bool (*mirror_wait)(struct host *host, uint64_t timeout_ms, struct error *err);
    /* End the mirror, complete or not; the guest does not notice. */
    void (*mirror_stop)(struct host *host, const char *disk);

    /* Send RAM and device state to the unix socket `path`. On return the guest is
     * paused, every mirror drained and proven complete, nothing more to send. On
     * failure the guest may be paused: source_resume() is for that.
     */
    bool (*ram_send)(struct host *host, const char *path, const struct ram_hooks *hooks,
                     struct error *err);

    /* What its disks are like once they are drained, so that nobody can write to them unseen:
     * added to `fact`, which the journal keeps.
     */
    void (*source_mark)(struct host *host, cJSON *fact);
    /* Has nobody written to them since? False: ERROR_REFUSED, somebody has; ERROR_SYSTEM, that
     * cannot be proven.
     */
    bool (*source_is_unwritten)(struct host *host, const cJSON *fact, struct error *err);

    /* When the guest was paused for good (loop_now_ms()); 0: it was not. */
    uint64_t (*paused_at)(struct host *host);
    /* How long ram_send() has kept the guest paused until now, for --max-pause; 0: it runs. If
     * not `with_ram`, less what its RAM has taken, and may take, because --ram sends it meanwhile.
     * Called from a callback: looks at what is known, and asks nobody.
     */
    uint64_t (*paused_for)(struct host *host, bool with_ram);

    /* Look at the machine: does the VM run here? */
    enum run_state (*source_state)(struct host *host);
    /* The last look before COMMIT: the guest is paused, by us, and nothing has run, ended or been
     * reset since. False, ERROR_REFUSED: somebody else's hand was here.
     */
    bool (*source_unchanged)(struct host *host, struct error *err);
    /* Let the guest go on. Fine when it runs; and when it has ended by itself or was stopped by
     * somebody else, which `stopped` tells: that it is left alone.
     */
    bool (*source_resume)(struct host *host, struct error *err);
    /* After COMMIT: nobody can start the old copy by habit; durable. One that somebody lets run all
     * the same is stopped at once. And its reverse. Either may be asked for twice.
     */
    bool (*source_fence)(struct host *host, struct error *err);
    bool (*source_unfence)(struct host *host, struct error *err);
    /* Does nobody but the VM found by attach(), and this migration's copy of it, run under its
     * name or UUID or write to its images on this machine? ERROR_REFUSED says who does. In the
     * guest's pause: some milliseconds.
     */
    bool (*nobody_else)(struct host *host, struct error *err);
    /* End the paused copy. Its disks stay. Fine when it is gone. One that has run since it was
     * handed over is not ended: what it wrote is nowhere else.
     */
    bool (*source_destroy)(struct host *host, struct error *err);

    /* ---- at the target ---- */

    /* Room, names, versions. Touches nothing. `params` stays valid. */
    bool (*check_target)(struct host *host, const cJSON *params, struct error *err);
    void (*plan_recv)(struct host *host, struct plan *plan);
    /* Make the disks and the empty machine. Notes each thing it makes. */
    bool (*create_machine)(struct host *host, struct error *err);
    bool (*start_device_model)(struct host *host, struct error *err);
    /* A connection to where lane `name` ends. The caller closes it; -1. */
    int (*open_lane)(struct host *host, const char *name, struct error *err);
    /* Make durable what the mirrors have brought until now, so that seal() has little to do. */
    bool (*flush_disks)(struct host *host, struct error *err);
    /* Be ready for the lane "ram"; then take what comes until it is all here, and flush
     * the disks now and then.
     */
    bool (*ram_listen)(struct host *host, struct error *err);
    bool (*ram_recv)(struct host *host, struct error *err);
    /* Load the device state, end the exports, make disks and directories durable. On
     * return the VM is complete, paused, and could be resumed after any crash of ours.
     */
    bool (*seal)(struct host *host, struct error *err);
    /* Facts for PREPARED by which copy_never_ran() tells after a crash. */
    void (*remember_sealed)(struct host *host, cJSON *facts);
    /* Has the sealed copy never run? One that runs is paused. False, ERROR_REFUSED: it has run, or,
     * dead, is not as it was sealed. Any other kind: that cannot be told now.
     */
    bool (*copy_never_ran)(struct host *host, struct error *err);
    /* The last look before OWNED: does what the copy writes to still have the names that the VM
     * will be started from again? False: somebody has replaced, renamed or deleted an image.
     */
    bool (*disks_have_names)(struct host *host, struct error *err);
    /* After OWNED: all that can be done before a vCPU runs. */
    bool (*before_resume)(struct host *host, struct error *err);
    /* Run. ERROR_SYSTEM: it provably never ran. Any other kind: nobody knows. */
    bool (*target_resume)(struct host *host, struct error *err);
    /* After RUNNING: tell the network, drop what was only for the move. */
    void (*after_resume)(struct host *host);
    enum run_state (*target_state)(struct host *host);
    /* End the machine made here, running or not, complete or not. Fine when gone. */
    bool (*target_destroy)(struct host *host, struct error *err);
    /* Delete the disks made here, or keep them under a name that tells what they are. */
    bool (*disks_discard)(struct host *host, struct error *err);
    bool (*disks_keep)(struct host *host, struct error *err);

    /* ---- at both ---- */

    /* The copy here has ended: has somebody started the VM again, from its disks here? `who`: which
     * process or domain it is.
     */
    bool (*runs_again)(struct host *host, char *who, size_t size);

    /* ---- after a crash ---- */

    /* Find again what the journal's `records` tell of, at the side that wrote them. True
     * also when it is gone: source_state() and target_state() say so.
     */
    bool (*reattach)(struct host *host, const cJSON *records, struct error *err);
};

/* Every host in this build, NULL-terminated; host/host.c */
extern const struct host_ops *const host_table[];

/* NULL: no such host in this build. */
const struct host_ops *host_find(const char *name);

/**
 * Which host does "VM" mean: the word before ':' if it is a host's name, else the
 * one host that knows it. `*rest` is the VM's name without the host's.
 */
const struct host_ops *host_for_vm(const char *vm, const char **rest, struct error *err);

#endif

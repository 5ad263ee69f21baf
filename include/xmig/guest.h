/* The guest: a VM at the source, from when it is found until it is handed over and ended.
 *
 * The functions below are what everybody calls; the table is what a hypervisor fills in.
 * The functions check what must hold, and know what NULL in the table means.
 */
#ifndef XMIG_GUEST_H
#define XMIG_GUEST_H

#include "xmig/vm.h"

struct hypervisor;

/* Implementations embed this first. */
struct guest {
    const struct guest_ops *ops;
    const struct hypervisor *hypervisor;
    struct vm_context context;
    bool found; /* by attach() or reattach() */
    /* Why the guest does not run, though xmig does not keep it from running: it has turned
     * itself off, it has panicked, somebody has stopped it. "": nothing of the kind is known.
     */
    char stopped[512];
    char called[128]; /* the VM's name, as the hypervisor has it; "": not known */
};

struct mirror_state {
    bool ready;      /* caught up: every further write is sent along */
    uint64_t done;   /* bytes */
    uint64_t total;  /* bytes; grows while the guest writes; 0: it still looks how much there is */
    uint64_t zeroed; /* before that: so many bytes of the target have been made zero */
};

/* What ram_send() tells while it works. Called on the loop's thread as sequential code. */
struct ram_hooks {
    /* Just before the guest may be paused for good. False: stop, do not pause. */
    bool (*pausing)(void *arg, struct error *err);
    /* The guest stands still now: what is left should take no longer than it must. NULL. */
    void (*paused)(void *arg);
    void *arg;
};

void ram_hooks_paused(const struct ram_hooks *hooks);

/* How disks are mirrored; the table's `mirrors`. */
struct mirror_ops {
    /* Mirror `disk` into the NBD export of its name behind the unix socket `path`. */
    bool (*start)(struct guest *guest, const char *disk, const char *path, struct error *err);
    bool (*state)(struct guest *guest, const char *disk, struct mirror_state *state,
                  struct error *err);
    /* Wait until a mirror may have caught up, at most `timeout_ms`. NULL: the stage only polls. */
    bool (*wait)(struct guest *guest, uint64_t timeout_ms, struct error *err);
    /* End the mirror, complete or not; the guest does not notice. */
    void (*stop)(struct guest *guest, const char *disk);
};

struct guest_ops {
    void (*free)(struct guest *guest); /* lets go; changes nothing */
    /* Find the VM and connect to it. Refuses what cannot be moved. */
    bool (*attach)(struct guest *guest, const char *vm, struct error *err);
    /* After a crash, find again the VM that the journal's `records` tell of. True also when it is
     * gone: state() says so.
     */
    bool (*reattach)(struct guest *guest, const cJSON *records, struct error *err);
    /* Everything the target must know. Touches nothing, but may put a proof beside an image
     * that both hosts shall share, which remember() or free() removes.
     */
    bool (*describe)(struct guest *guest, cJSON *params, struct error *err);
    void (*plan)(struct guest *guest, struct plan *plan);
    /* Facts for the journal by which reattach() finds this VM again. */
    bool (*remember)(struct guest *guest, cJSON *facts, struct error *err);
    const struct mirror_ops *mirrors; /* NULL: its disks cannot be mirrored */
    /* Send RAM and device state to the unix socket `path`. On return the guest is
     * paused, every mirror drained and proven complete, nothing more to send. On
     * failure the guest may be paused: resume() is for that.
     */
    bool (*ram_send)(struct guest *guest, const char *path, const struct ram_hooks *hooks,
                     struct error *err);
    /* What its disks are like once they are drained, so that nobody can write to them unseen:
     * added to `fact`, which the journal keeps.
     */
    void (*mark)(struct guest *guest, cJSON *fact);
    /* Has nobody written to them since? False: ERROR_REFUSED, somebody has; ERROR_SYSTEM, that
     * cannot be proven.
     */
    bool (*is_unwritten)(struct guest *guest, const cJSON *fact, struct error *err);
    /* When the guest was paused for good (loop_now_ms()); 0: it was not. */
    uint64_t (*paused_at)(struct guest *guest);
    /* How long, in ms, ram_send() has kept the guest paused until now, for --max-pause; 0: it runs.
     * If not `with_ram`, less what its RAM has taken, and may take, because --ram sends it
     * meanwhile. Called from a callback: looks at what is known, and asks nobody.
     */
    uint64_t (*paused_for)(struct guest *guest, bool with_ram);
    /* Look at the machine: does the VM run here? */
    enum run_state (*state)(struct guest *guest);
    /* The last look before COMMIT: the guest is paused, by us, and nothing has run, ended or been
     * reset since. False, ERROR_REFUSED: somebody else's hand was here.
     */
    bool (*unchanged)(struct guest *guest, struct error *err);
    /* Let the guest go on. Fine when it runs; and when it has ended by itself or was stopped by
     * somebody else, which `stopped` tells: that it is left alone.
     */
    bool (*resume)(struct guest *guest, struct error *err);
    /* After COMMIT: nobody can start the old copy by habit; durable. One that somebody lets run all
     * the same is stopped at once. And its reverse. Either may be asked for twice.
     */
    bool (*fence)(struct guest *guest, struct error *err);
    bool (*unfence)(struct guest *guest, struct error *err);
    /* Does nobody but the VM found by attach(), and this migration's copy of it, run under its
     * name or UUID or write to its images on this machine? ERROR_REFUSED says who does. In the
     * guest's pause: some milliseconds.
     */
    bool (*nobody_else)(struct guest *guest, struct error *err);
    /* The paused copy has ended: has somebody started the VM again, from its disks here? `who`:
     * which process or domain it is.
     */
    bool (*runs_again)(struct guest *guest, char *who, size_t size);
    /* End the paused guest. Its disks stay. Fine when it is gone. One that has run since it was
     * handed over is not ended: what it wrote is nowhere else.
     */
    bool (*destroy)(struct guest *guest, struct error *err);
};

#endif

/* The guest: a VM at the source, from when it is found until it is handed over and ended.
 * A hypervisor fills in the table; everybody else calls the functions of guest-calls.h.
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
    /* Why the guest does not run although xmig does not keep it from running: the guest has turned
     * itself off or panicked, or somebody has stopped it. "": no such reason is known.
     */
    char stopped[512];
    char called[128]; /* the hypervisor's name for the VM; "": not known */
};

struct mirror_state {
    bool ready;      /* caught up: every further write is sent along */
    uint64_t done;   /* bytes */
    uint64_t total;  /* bytes, more as the guest writes; 0: the mirror has not counted them yet */
    uint64_t zeroed; /* bytes of the target made zero before the copying began */
};

/* What ram_send() calls while it works, from sequential code. */
struct ram_hooks {
    /* Before the guest may be paused for good. False: fail, and do not pause. */
    bool (*pausing)(void *arg, struct error *err);
    /* The guest is paused: from now on hurry. May be NULL; call ram_hooks_paused(). */
    void (*paused)(void *arg);
    /* How many bytes have compressed lanes carried so far? 0: RAM's is none. */
    uint64_t (*written)(void *arg);
    void *arg;
    const char *stage; /* for events */
};

void ram_hooks_paused(const struct ram_hooks *hooks);

/* How disks are mirrored; the table's `mirrors`. */
struct mirror_ops {
    bool speaks_nbd; /* as a client that QEMU is: fixed newstyle, an export as large as the disk */
    /* Mirror `disk` into the NBD export of its name behind the unix socket `path`. */
    bool (*start)(struct guest *guest, const char *disk, const char *path, struct error *err);
    /* When all have been started, for each: keep others from completing it. May wait until what the
     * mirror has on its way has arrived. NULL: nothing to do.
     */
    void (*guard)(struct guest *guest, const char *disk);
    bool (*state)(struct guest *guest, const char *disk, struct mirror_state *state,
                  struct error *err);
    /* Wait until a mirror may have caught up, at most `timeout_ms`. NULL: the stage polls. */
    bool (*wait)(struct guest *guest, uint64_t timeout_ms, struct error *err);
    /* End the mirror, complete or not; the guest does not notice. */
    void (*stop)(struct guest *guest, const char *disk);
};

struct guest_ops {
    void (*free)(struct guest *guest); /* lets go; changes nothing */
    /* Find the VM and connect to it. Refuses what cannot be moved. */
    bool (*attach)(struct guest *guest, const char *vm, struct error *err);
    /* After a crash, find the VM again by the facts in the journal's `records`. True also when the
     * VM is gone: state() says so.
     */
    bool (*reattach)(struct guest *guest, const cJSON *records, struct error *err);
    /* Everything the target must know. Touches nothing; but beside an image that both hosts share
     * it may put a proof of that, which remember() or free() removes.
     */
    bool (*describe)(struct guest *guest, cJSON *params, struct error *err);
    void (*plan)(struct guest *guest, struct plan *plan);
    /* Facts for the journal by which reattach() finds this VM again. */
    bool (*remember)(struct guest *guest, cJSON *facts, struct error *err);
    const struct mirror_ops *mirrors; /* NULL: its disks cannot be mirrored */
    /* Send RAM and device state to the unix socket `path`. Afterwards the guest is paused, every
     * mirror is drained and proven complete, and nothing is left to send. After a failure the
     * guest may be paused: resume() follows. ERROR_LOST: the lane ended, and the target knows why.
     */
    bool (*ram_send)(struct guest *guest, const char *path, const struct ram_hooks *hooks,
                     struct error *err);
    /* Add to `fact`, for the journal, what the drained disks are like (inode, size, time). */
    void (*mark)(struct guest *guest, cJSON *fact);
    /* Are the disks as mark() found them? ERROR_REFUSED: somebody has written to them;
     * ERROR_SYSTEM: nobody can tell.
     */
    bool (*is_unwritten)(struct guest *guest, const cJSON *fact, struct error *err);
    /* When the guest was paused for good (loop_now_ms()); 0: it was not. */
    uint64_t (*paused_at)(struct guest *guest);
    /* How long, in ms, the guest has been paused by ram_send(), for --max-pause; 0: it runs.
     * Without `with_ram` the time does not count in which RAM is sent because of --ram. Called from
     * a callback: must not wait.
     */
    uint64_t (*paused_for)(struct guest *guest, bool with_ram);
    enum run_state (*state)(struct guest *guest);
    /* The last look before COMMIT: is the guest paused by xmig, and has nothing run, ended or been
     * reset since? ERROR_REFUSED: somebody else has changed that.
     */
    bool (*unchanged)(struct guest *guest, struct error *err);
    /* Let the guest go on. True also when it runs already. A guest that ended by itself, or that
     * somebody else stopped, is left alone: true, and `stopped` says why.
     */
    bool (*resume)(struct guest *guest, struct error *err);
    /* After COMMIT: make it impossible, durably, to start the old copy by habit, and stop it at
     * once where somebody lets it run. unfence() reverses that. Either may be called twice.
     */
    bool (*fence)(struct guest *guest, struct error *err);
    bool (*unfence)(struct guest *guest, struct error *err);
    /* Is there no third VM of this name or UUID here, nobody else who could write to the images?
     * ERROR_REFUSED says who. Take milliseconds: the guest is paused; seconds if one just starts.
     */
    bool (*nobody_else)(struct guest *guest, struct error *err);
    /* The paused guest has ended: has somebody started the VM again from its disks here? `who`
     * names the process or domain.
     */
    bool (*runs_again)(struct guest *guest, char *who, size_t size);
    /* End the paused guest; its disks stay. True when it is gone. Refuse to end a guest that has
     * run since it was handed over: what it wrote is nowhere else.
     */
    bool (*destroy)(struct guest *guest, struct error *err);
};

#endif

/* The copy: a VM at the target, from an empty machine until it runs there or is given back.
 *
 * The functions of copy-calls.h are what everybody calls; the table is what a hypervisor fills in.
 */
#ifndef XMIG_COPY_H
#define XMIG_COPY_H

#include "xmig/vm.h"

struct hypervisor;

/* Implementations embed this first. */
struct copy {
    const struct copy_ops *ops;
    const struct hypervisor *hypervisor;
    struct vm_context context;
    bool known; /* by check() or reattach() */
};

struct copy_ops {
    void (*free)(struct copy *copy); /* lets go; changes nothing */
    /* Room, names, versions. Touches nothing. `params` stays valid. */
    bool (*check)(struct copy *copy, const cJSON *params, struct error *err);
    void (*plan)(struct copy *copy, struct plan *plan);
    /* Make the disks and the empty machine. Notes each thing it makes. */
    bool (*create)(struct copy *copy, struct error *err);
    /* Start the device model. NULL: create() has done all. */
    bool (*start)(struct copy *copy, struct error *err);
    /* A connection to where lane `name` ends. The caller closes it; -1. */
    int (*open_lane)(struct copy *copy, const char *name, struct error *err);
    /* Make durable what the mirrors have brought until now, so that seal() has little to do. NULL:
     * nothing need be.
     */
    bool (*flush_disks)(struct copy *copy, struct error *err);
    /* Be ready for the lane "ram" (NULL: it always is); then take what comes until it is all
     * here, and flush the disks now and then.
     */
    bool (*ram_listen)(struct copy *copy, struct error *err);
    bool (*ram_recv)(struct copy *copy, struct error *err);
    /* Load the device state, end the exports, make disks and directories durable. On
     * return the VM is complete, paused, and could be resumed after any crash of ours.
     */
    bool (*seal)(struct copy *copy, struct error *err);
    /* Facts for PREPARED by which never_ran() tells after a crash. NULL: none are needed. */
    void (*remember_sealed)(struct copy *copy, cJSON *facts);
    /* Has the sealed copy never run? One that runs is paused. False, ERROR_REFUSED: it has run, or,
     * dead, is not as it was sealed. Any other kind: that cannot be told now.
     */
    bool (*never_ran)(struct copy *copy, struct error *err);
    /* The last look before OWNED: does what the copy writes to still have the names that the VM
     * will be started from again? False: somebody has replaced, renamed or deleted an image.
     */
    bool (*disks_have_names)(struct copy *copy, struct error *err);
    /* After OWNED: all that can be done before a vCPU runs. NULL: nothing. */
    bool (*before_resume)(struct copy *copy, struct error *err);
    /* Run. ERROR_SYSTEM: the copy provably never ran. Any other kind: nobody knows. */
    bool (*resume)(struct copy *copy, struct error *err);
    /* After RUNNING: tell the network, drop what was only for the move. NULL: nothing. */
    void (*after_resume)(struct copy *copy);
    enum run_state (*state)(struct copy *copy);
    /* The copy has ended: has somebody started the VM again, from its disks here? `who`: which
     * process or domain it is.
     */
    bool (*runs_again)(struct copy *copy, char *who, size_t size);
    /* End the machine made here, running or not, complete or not. Fine when gone. */
    bool (*destroy)(struct copy *copy, struct error *err);
    /* Delete the disks made here, or keep them under a name that tells what they are. */
    bool (*disks_discard)(struct copy *copy, struct error *err);
    bool (*disks_keep)(struct copy *copy, struct error *err);
    /* After a crash, find again what the journal's `records` tell of. True also when it is
     * gone: state() says so.
     */
    bool (*reattach)(struct copy *copy, const cJSON *records, struct error *err);
};

#endif

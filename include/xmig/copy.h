/* The copy: a VM at the target, from an empty machine until it runs there or is given back.
 * A hypervisor fills in the table; everybody else calls the functions of copy-calls.h.
 */
#ifndef XMIG_COPY_H
#define XMIG_COPY_H

#include "xmig/needs.h"
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
    /* Before check(): what the copy will need of this host besides its name and the hypervisor, by
     * the parameters alone. Makes, opens and runs nothing. NULL: nobody can say.
     */
    bool (*needs)(const struct copy *copy, const cJSON *params, struct needs *needs,
                  struct error *err);
    /* Refuse what cannot work here: room, names, versions. Touches nothing. `params` stays valid.
     */
    bool (*check)(struct copy *copy, const cJSON *params, struct error *err);
    void (*plan)(struct copy *copy, struct plan *plan);
    /* Make the disks and the empty machine; note each thing before it is made. */
    bool (*create)(struct copy *copy, struct error *err);
    /* Start the device model, paused. NULL: create() has done it. */
    bool (*start)(struct copy *copy, struct error *err);
    /* Connect to where the lane "ram" or "disk/NAME" ends. The caller closes it. -1: failed. */
    int (*open_lane)(struct copy *copy, const char *name, struct error *err);
    /* Make durable what the mirrors have brought so far: then seal() is quick. May be NULL. */
    bool (*flush_disks)(struct copy *copy, struct error *err);
    /* Be ready for the lane "ram" (NULL: always so); then take what comes until all is here, and
     * flush the disks now and then.
     */
    bool (*ram_listen)(struct copy *copy, struct error *err);
    bool (*ram_recv)(struct copy *copy, struct error *err);
    /* Load the device state, end the exports, make disks and directories durable. Afterwards the
     * VM is complete and paused, and can be resumed even if this process dies.
     */
    bool (*seal)(struct copy *copy, struct error *err);
    /* Facts for the record PREPARED that never_ran() needs after a crash. May be NULL. */
    void (*remember_sealed)(struct copy *copy, cJSON *facts);
    /* Is it proven that the sealed copy has never run? A running copy is paused at once.
     * ERROR_REFUSED: it has run, or it is dead and its disks have changed. Other kinds: not known.
     */
    bool (*never_ran)(struct copy *copy, struct error *err);
    /* The last look before OWNED: has nobody replaced, renamed or deleted an image that the copy
     * has open?
     */
    bool (*disks_have_names)(struct copy *copy, struct error *err);
    /* After OWNED: all that can be done before a vCPU runs. May be NULL. */
    bool (*before_resume)(struct copy *copy, struct error *err);
    /* Let it run. ERROR_SYSTEM: the copy provably never ran. Other kinds: not known. */
    bool (*resume)(struct copy *copy, struct error *err);
    /* After RUNNING: tell the network, drop what only the move needed. May be NULL. */
    void (*after_resume)(struct copy *copy);
    /* These two as in guest.h. */
    enum run_state (*state)(struct copy *copy);
    bool (*runs_again)(struct copy *copy, char *who, size_t size);
    /* End the machine made here, running or not, complete or not. True when it is gone. */
    bool (*destroy)(struct copy *copy, struct error *err);
    /* Delete the disks made here, or rename them to a name that tells what they are. */
    bool (*disks_discard)(struct copy *copy, struct error *err);
    bool (*disks_keep)(struct copy *copy, struct error *err);
    /* As in guest.h. */
    bool (*reattach)(struct copy *copy, const cJSON *records, struct error *err);
};

#endif

/* A hypervisor: how this machine's VMs are found, and how copies of another machine's VMs are
 * made. docs/writing-a-hypervisor.md walks through one.
 */
#ifndef XMIG_HYPERVISOR_H
#define XMIG_HYPERVISOR_H

#include "xmig/copy.h"
#include "xmig/guest.h"

struct hypervisor {
    const char *name;      /* the word before ':' in a VM's name */
    const char *summary;   /* for --help and `xmig stages` */
    bool made_up;          /* its VMs do not exist: for tests and --simulate */
    bool sends_every_page; /* of RAM, also those never written to: the lane compresses them */

    /* Can this machine use it? ERROR_REFUSED says what is missing. NULL: yes. */
    bool (*available)(struct error *err);
    /* Does this machine have a VM that `vm` can mean? Touches nothing. NULL: no. */
    bool (*knows)(const char *vm);
    /* Add the names of this machine's VMs to the array, for an error message. May be NULL. */
    void (*vms)(cJSON *names);
    /* Only allocate; the caller then sets the context. */
    struct guest *(*guest_new)(void);
    struct copy *(*copy_new)(void);
    /* `xmig monitor`: do for a VM that has moved here what its toolstack would, until it is gone.
     * NULL: nothing is to do.
     */
    bool (*monitor)(struct loop *loop, const char *vm, const struct event_sink *events,
                    struct error *err);
};

/* Every hypervisor in this build, NULL-terminated; host/hypervisor-table.c */
extern const struct hypervisor *const hypervisor_table[];

#endif

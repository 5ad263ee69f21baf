/* The state that ram-send.c and ram-policy.c share. */
#ifndef XMIG_HOST_XEN_GUEST_RAM_SEND_H
#define XMIG_HOST_XEN_GUEST_RAM_SEND_H

#include <xenctrl.h>
#include <xenguest.h>

#include "host/xen/guest/precopy.h"
#include "host/xen/guest/guest.h"
#include "xmig/library-thread.h"

struct sending {
    struct xen_guest *vm;
    const struct ram_hooks *hooks;
    struct library_thread *thread;
    xc_interface *xc; /* for the thread alone */
    int fd;           /* the lane */
    char *state_path; /* where QEMU saves the device state */
    struct precopy precopy;
    uint64_t ram; /* the guest's, in bytes */
    struct precopy_stats stats;
    unsigned pass;       /* the number of the present one */
    uint64_t pass_bytes; /* of RAM, which the pass sends */
    uint64_t written;    /* by the lane before the pass */
    unsigned long seen;  /* frames of the pass when last looked */
    bool enable;         /* whether to switch the dirty log on */
    int answer;
    bool pausing;        /* from now on the guest may be suspended */
    uint64_t looked_ms;  /* when the mirrors were last looked at */
    uint64_t drained_ms; /* when nothing but RAM was left to send */
    int result, number;  /* of xc_domain_save(): its result and errno */
    struct error error;  /* of a callback */
};

/* libxc asks in its thread, between two passes: go on, pause the guest, or give up? */
int ram_policy(struct precopy_stats stats, void *arg);

/* Add to an error that has ended the passes why the guest could not be paused before. */
void ram_policy_explain(const struct sending *sending, struct error *err);

#endif

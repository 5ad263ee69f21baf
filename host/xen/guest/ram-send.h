/* What the parts of sending RAM share. */
#ifndef XMIG_HOST_XEN_GUEST_RAM_SEND_H
#define XMIG_HOST_XEN_GUEST_RAM_SEND_H

#include <xenctrl.h>
#include <xenguest.h>

#include "transport/lanes/codec.h"
#include "host/xen/guest/precopy.h"
#include "host/xen/guest/guest.h"
#include "xmig/turns.h"

struct sending {
    struct xen_guest *vm;
    const struct ram_hooks *hooks;
    struct turns *turns;
    xc_interface *xc; /* the thread's own */
    int fd;           /* the lane */
    int plain;        /* what is written there comes out of it, compressed */
    struct codec *codec;
    char *state_path; /* where QEMU saves the device state */
    struct precopy precopy;
    uint64_t ram; /* bytes of the guest's */
    struct precopy_stats stats;
    unsigned pass;       /* as the loop's thread knows it */
    uint64_t pass_bytes; /* of RAM, which it sends */
    uint64_t written;    /* … into the lane before it */
    unsigned long seen;  /* frames of a pass, when last looked */
    bool enable;         /* the dirty log */
    int answer;
    bool pausing;        /* the guest may be suspended */
    uint64_t looked_ms;  /* at the mirrors */
    uint64_t drained_ms; /* when nothing but RAM was left to send */
    int result, number;  /* what xc_domain_save() returned, and errno */
    struct error error;  /* what went wrong in what libxc called back */
};

/* libxc's question between two passes, in its thread: go on, pause the guest, or give up? */
int ram_policy(struct precopy_stats stats, void *arg);

/* Add to an error that has ended the passes what kept them from ending otherwise. */
void ram_policy_explain(const struct sending *sending, struct error *err);

#endif

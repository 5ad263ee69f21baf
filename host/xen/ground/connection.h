/* The connections to a domain: to Xen, to xenstore and to its device model. A guest and a copy
 * have one of these each.
 */
#ifndef XMIG_HOST_XEN_GROUND_CONNECTION_H
#define XMIG_HOST_XEN_GROUND_CONNECTION_H

#include <xenctrl.h>

#include "host/xen/ground/library-log.h"
#include "host/xen/ground/store.h"
#include "qmp/commands.h"
#include "xmig/vm.h"

enum {
    XEN_PAGE = 4096,
    XEN_UUID_SIZE = 37
};

struct xen {
    const struct vm_context *context; /* the guest's or the copy's */
    struct xen_log *log;
    xc_interface *xc; /* only for the loop's thread; NULL: not open */
    struct xs_handle *xs;
    struct qmp *q;  /* the device model's monitor; NULL: not connected */
    bool has_model; /* there is a device model: a PVH guest without disks of QEMU's has none */
    uint32_t domid; /* 0: none */
    char uuid[XEN_UUID_SIZE];
};

void xen_init(struct xen *xen, const struct vm_context *context);
void xen_done(struct xen *xen);

/* Open the interfaces, unless they are open. */
bool xen_open(struct xen *xen, struct error *err);

/* Another interface, for a thread of its own; the caller closes it. */
xc_interface *xen_open_for_thread(struct xen *xen, struct error *err);

/* "WHAT: errno's text (what the library said)". Always false. */
bool xen_fail(struct xen *xen, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Connect to the device model's second monitor: libxl uses the first. */
bool xen_connect(struct xen *xen, uint64_t timeout_ms, struct error *err);
void xen_disconnect(struct xen *xen);

#endif

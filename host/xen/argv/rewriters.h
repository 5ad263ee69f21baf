/* The functions in the rows of the device model's table (options.c), by the files that they are in.
 */
#ifndef XMIG_HOST_XEN_ARGV_REWRITERS_H
#define XMIG_HOST_XEN_ARGV_REWRITERS_H

#include "host/xen/argv/argv.h"
#include "qmp/argv/port.h"

struct xen_rewriting {
    struct rewriting base;
    const struct xen_argv *vm;
};

static inline const struct xen_argv *xen_argv_of(const struct rewriting *r)
{
    return ((const struct xen_rewriting *)r)->vm;
}

extern const struct option_table xen_options;

/* device.c */
option_changer xen_rewrite_machine, xen_rewrite_netdev, xen_rewrite_device, xen_rewrite_vnc;
option_rewriter xen_rewrite_domid, xen_rewrite_name, xen_rewrite_usbdevice, xen_rewrite_none;
/* chardev.c */
option_changer xen_rewrite_chardev;
option_rewriter xen_rewrite_serial;
/* file.c */
option_changer xen_rewrite_drive, xen_rewrite_inputs, xen_rewrite_outputs;
option_rewriter xen_rewrite_input;

#endif

/* The rewriters of the device model's options; argv.c has their table. Each says what the
 * target is given in the option's place.
 */
#ifndef XMIG_HOST_XEN_ARGV_ARGV_REWRITE_H
#define XMIG_HOST_XEN_ARGV_ARGV_REWRITE_H

#include "host/xen/argv/argv.h"

struct xen_rewriting {
    struct xen_argv *vm;
    cJSON *words;
};

typedef bool xen_rewriter(struct xen_rewriting *r, const char *option, const char *value,
                          struct error *err);

xen_rewriter xen_argv_keep, xen_argv_drop, xen_argv_refuse;
xen_rewriter xen_argv_domid, xen_argv_name, xen_argv_machine, xen_argv_chardev, xen_argv_serial,
    xen_argv_vnc, xen_argv_display, xen_argv_input, xen_argv_device, xen_argv_usbdevice,
    xen_argv_netdev, xen_argv_net, xen_argv_drive;

#endif

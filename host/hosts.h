/* Each host's table, for host.c. */
#ifndef XMIG_HOST_HOSTS_H
#define XMIG_HOST_HOSTS_H

#include "xmig/host.h"

extern const struct host_ops xen_host;
extern const struct host_ops qemu_host;
extern const struct host_ops simulated_host;

#endif

/* Xen, for the plugin. */
#ifndef XMIG_HOST_XEN_XEN_H
#define XMIG_HOST_XEN_XEN_H

#include "xmig/hypervisor.h"

extern const struct hypervisor xen_itself;

#endif

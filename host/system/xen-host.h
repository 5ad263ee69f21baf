/* Is this machine the control domain of a Xen host? */
#ifndef XMIG_HOST_SYSTEM_XEN_HOST_H
#define XMIG_HOST_SYSTEM_XEN_HOST_H

#include "xmig/error.h"

/* ERROR_REFUSED: no, or this user cannot use it. */
bool xen_host_check(struct error *err);

#endif

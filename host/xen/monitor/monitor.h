/* xmig's monitor does what xl's does for a domain that xl has started: when the guest turns itself
 * off or reboots, do what its configuration says.
 */
#ifndef XMIG_HOST_XEN_MONITOR_MONITOR_H
#define XMIG_HOST_XEN_MONITOR_MONITOR_H

#include "xmig/event.h"
#include "xmig/loop.h"

/* Start `xmig monitor DOMID` as a process of its own, which outlives this one. */
bool monitor_start(struct loop *loop, uint32_t domid, struct error *err);

/* `xmig monitor`: watch the domain, given by name or number, and its successors, for a guest that
 * reboots gets a new domain. Returns when there is nothing left to watch; at once if another
 * monitor watches the domain already.
 */
bool monitor_run(struct loop *loop, const char *domain, const struct event_sink *events,
                 struct error *err);

#endif

/* Wait until a domain is shut down or gone. */
#ifndef XMIG_HOST_XEN_MONITOR_DOMAIN_WATCH_H
#define XMIG_HOST_XEN_MONITOR_DOMAIN_WATCH_H

#include <xenstore.h>

#include "xmig/loop.h"

struct domain_watch;

/* `xs` (borrowed) must have no other watches. */
struct domain_watch *domain_watch_new(struct loop *loop, struct xs_handle *xs, struct error *err);
void domain_watch_free(struct domain_watch *watch); /* NULL is fine */

/* Wait until any domain has been shut down or has ended, or the time is over. False: interrupted.
 */
bool domain_watch_wait(struct domain_watch *watch, uint64_t timeout_ms, struct error *err);

#endif

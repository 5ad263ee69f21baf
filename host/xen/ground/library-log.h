/* Messages of Xen's libraries are kept here, instead of printed. */
#ifndef XMIG_HOST_XEN_GROUND_LIBRARY_LOG_H
#define XMIG_HOST_XEN_GROUND_LIBRARY_LOG_H

#include <xentoollog.h>

#include "xmig/event.h"

struct xen_log;

struct xen_log *xen_log_new(void);
void xen_log_free(struct xen_log *log); /* NULL is fine */

/* For xc_interface_open(). Any thread may log. */
xentoollog_logger *xen_log_logger(struct xen_log *log);

/* Emit the messages since the last call as EVENT_DEBUG. Only for the loop's thread. */
void xen_log_drain(struct xen_log *log, const struct event_sink *sink);

/* Take the first complaint since the last call; "" if there was none. The caller frees it. */
char *xen_log_complaint(struct xen_log *log);

/* The progress of the present step, in the library's own units. */
void xen_log_progress(struct xen_log *log, unsigned long *done, unsigned long *total);

#endif

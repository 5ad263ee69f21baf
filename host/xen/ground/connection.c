/* Open and close the connections to a domain; errors and texts for all of host/xen. */
#include "host/xen/ground/connection.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "xmig/text.h"

bool xen_fail(struct xen *xen, struct error *err, const char *format, ...)
{
    int number = errno;
    AUTO_FREE char *complaint = xen_log_complaint(xen->log);
    AUTO_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    text = vformatted(format, args);
    va_end(args);
    if (*complaint)
        return error_set(err, ERROR_SYSTEM, "%s: %s (%s)", text, strerror(number), complaint);
    return error_set(err, ERROR_SYSTEM, "%s: %s", text, strerror(number));
}

/* ---- connections ---- */

void xen_init(struct xen *xen, const struct vm_context *context)
{
    *xen = (struct xen){ .context = context, .log = xen_log_new() };
}

void xen_done(struct xen *xen)
{
    xen_disconnect(xen);
    if (xen->xs)
        xs_close(xen->xs);
    if (xen->xc)
        xc_interface_close(xen->xc);
    xen_log_free(xen->log);
}

xc_interface *xen_open_for_thread(struct xen *xen, struct error *err)
{
    xc_interface *xc = xc_interface_open(xen_log_logger(xen->log), xen_log_logger(xen->log), 0);

    if (!xc)
        xen_fail(xen, err, "cannot talk to Xen");
    return xc;
}

bool xen_open(struct xen *xen, struct error *err)
{
    if (!xen->xc)
        xen->xc = xen_open_for_thread(xen, err);
    if (!xen->xc)
        return false;
    if (!xen->xs)
        xen->xs = xs_open(0);
    return xen->xs || xen_fail(xen, err, "cannot talk to xenstore");
}

bool xen_connect(struct xen *xen, uint64_t timeout_ms, struct error *err)
{
    AUTO_FREE char *path = formatted("/var/run/xen/qmp-libxenstat-%u", xen->domid);

    if (xen->q && !qmp_lost(xen->q, NULL))
        return true;
    xen_disconnect(xen);
    xen->q = qmp_connect(xen->context->loop, path, timeout_ms, err);
    return xen->q != NULL;
}

void xen_disconnect(struct xen *xen)
{
    qmp_free(steal(xen->q));
}

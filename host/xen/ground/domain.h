/* Domains, as the hypervisor and xenstore know them. */
#ifndef XMIG_HOST_XEN_GROUND_DOMAIN_H
#define XMIG_HOST_XEN_GROUND_DOMAIN_H

#include "host/xen/ground/connection.h"

bool domain_info(xc_interface *xc, uint32_t domid, xc_domaininfo_t *info);
void domain_uuid(const xc_domaininfo_t *info, char uuid[XEN_UUID_SIZE]);

/* Add the names of all domains but dom0 to the array. */
void domain_names(xc_interface *xc, struct xs_handle *xs, cJSON *names);
/* The domain of this name or number. False: there is none. */
bool domain_find(xc_interface *xc, struct xs_handle *xs, const char *name, uint32_t *domid);
bool domain_find_uuid(xc_interface *xc, const char *uuid, uint32_t besides, uint32_t *domid);
/* Another domain that has the domain's UUID, or this name (NULL: none). */
bool domain_find_namesake(const struct xen *xen, const char *name, uint32_t *domid);

/* Has it been shut down, and why (SHUTDOWN_…)? */
bool domain_is_shut_down(const xc_domaininfo_t *info, unsigned *reason);
/* RUN_GONE if the domain has another UUID, for numbers are used again. NULL: any UUID. */
enum run_state domain_state(xc_interface *xc, uint32_t domid, const char *uuid);
/* The state of the domain that `xen` is connected to. */
enum run_state xen_state(const struct xen *xen);
/* Has somebody paused the domain? xmig itself never pauses one at the source. */
bool domain_is_held(const struct xen *xen);
/* Sets *ns to how long its processors have run so far. False: the domain is gone, or another
 * has its number.
 */
bool domain_time_run(const struct xen *xen, uint64_t *ns);
bool domain_rename(struct xen *xen, const char *name, struct error *err);

#endif

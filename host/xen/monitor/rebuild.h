/* End a domain and make it anew with libxl, for guests that have rebooted or turned themselves off.
 * No move needs it.
 */
#ifndef XMIG_HOST_XEN_MONITOR_REBUILD_H
#define XMIG_HOST_XEN_MONITOR_REBUILD_H

#include <stdint.h>

#include <xentoollog.h>

#include "xmig/error.h"

struct rebuilder;

struct rebuilder *rebuilder_new(xentoollog_logger *logger, struct error *err);
void rebuilder_free(struct rebuilder *rebuilder); /* NULL is fine */

bool rebuild_destroy(struct rebuilder *rebuilder, uint32_t domid, struct error *err);
/* Make a domain from libxl's configuration `json`, and let it run. */
bool rebuild_create(struct rebuilder *rebuilder, const char *json, uint32_t *domid,
                    struct error *err);
/* Keep the domain under another name, for somebody to look at. */
bool rebuild_preserve(struct rebuilder *rebuilder, uint32_t domid, const char *name,
                      struct error *err);
bool rebuild_dump(struct rebuilder *rebuilder, uint32_t domid, const char *path, struct error *err);

#endif

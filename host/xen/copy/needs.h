/* What a domain needs of the target host, for a policy to judge. */
#ifndef XMIG_HOST_XEN_COPY_NEEDS_H
#define XMIG_HOST_XEN_COPY_NEEDS_H

#include "host/needs/line.h"
#include "host/xen/argv/argv.h"

/* Run where no other is named; joining a bridge is all that it does. */
#define XEN_OWN_SCRIPT "/etc/xen/scripts/vif-bridge"

/* The disks are those of the parameters, the last of which has no name. */

/* needs.c: all of it; `program` is what would be run here. */
bool domain_needs(const struct xen_params *params, const char *program, bool mirrored,
                  struct needs *needs, struct error *err);

/* needs-config.c: what libxl would do with the domain's configuration when the guest reboots. */
void config_needs(const struct xen_params *params, const struct disk_params *disks,
                  struct needs *needs);
bool is_disks_name(const struct disk_params *disks, const char *name);

/* needs-words.c: the device model's command line, or a part of one, and what the table of options
 * has found in it.
 */
void words_need(const cJSON *words, const struct disk_params *disks,
                const struct argv_result *found, struct needs *needs);

/* A VNC server at a display, or at one of the hundred from it on. */
void display_need(const char *address, uint64_t display, bool or_later, struct needs *needs);

#endif

/* What a domain needs of the target host, for a policy to judge. */
#ifndef XMIG_HOST_XEN_COPY_NEEDS_H
#define XMIG_HOST_XEN_COPY_NEEDS_H

#include "host/needs/line.h"
#include "xmig/json.h"

/* Run where no other is named; joining a bridge is all that it does. */
#define XEN_OWN_SCRIPT "/etc/xen/scripts/vif-bridge"

/* needs.c: all of it, by the parameters as they arrived; `program` is what would be run here. */
bool domain_needs(const cJSON *params, const char *program, bool mirrored, struct needs *needs,
                  struct error *err);

/* needs-config.c: what libxl would do with this configuration when the guest reboots. */
void config_needs(const cJSON *config, const cJSON *disks, const cJSON *media, struct needs *needs);

/* needs-words.c: the device model's command line, or a part of one. */
void words_need(const cJSON *words, const cJSON *disks, struct needs *needs);

/* The disk or medium of this name; NULL: none. */
const cJSON *item_named(const cJSON *items, const char *name);

/* Where a serial line leads. */
void serial_need(const struct needs_line *line, const char *where);

/* A VNC server at a display, or at one of the hundred from it on. */
void display_need(const char *address, uint64_t display, bool or_later, struct needs *needs);

#endif

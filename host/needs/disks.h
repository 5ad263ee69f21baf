/* What a VM's disks need of this host. */
#ifndef XMIG_HOST_NEEDS_DISKS_H
#define XMIG_HOST_NEEDS_DISKS_H

#include "xmig/json.h"
#include "xmig/needs.h"

/* Those of the parameters: {"name", "size", "image", "overwrite"}. */
void disks_need(const cJSON *disks, struct needs *needs);

/* What lies in drives that can be opened: {"name", "image"}. */
void media_need(const cJSON *media, struct needs *needs);

/* Paths, as strings or as {"path"}; once each, unless another kind of need has them. */
void paths_need(const cJSON *paths, enum need_kind kind, struct needs *needs);

#endif

/* What a VM's disks need of this host. */
#ifndef XMIG_HOST_NEEDS_DISKS_H
#define XMIG_HOST_NEEDS_DISKS_H

#include "xmig/json.h"
#include "xmig/needs.h"

/* Those of the parameters: {"name", "size", "image", "format", "overwrite"}. Images that are not
 * `mirrored` exist already.
 */
void disks_need(const cJSON *disks, bool mirrored, struct needs *needs);

/* What lies in drives that can be opened: {"name", "image", "format"}. One that has no format is
 * opened as `otherwise`; NULL: as what it looks like.
 */
void media_need(const cJSON *media, const char *otherwise, struct needs *needs);

/* Whoever has written an image of another format than these may have it lead to any file. */
bool format_is_plain(const char *format);

/* Paths, as strings or as {"path"}; once each, unless another kind of need has them. */
void paths_need(const cJSON *paths, enum need_kind kind, struct needs *needs);

#endif

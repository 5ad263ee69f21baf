/* What a VM's disks need of this host. */
#ifndef XMIG_HOST_NEEDS_DISKS_H
#define XMIG_HOST_NEEDS_DISKS_H

#include "host/images/disk-params.h"
#include "xmig/needs.h"

/* The disks of the parameters, the last of which has no name. Images that are not `mirrored` exist
 * already.
 */
void disks_need(const struct disk_params *disks, bool mirrored, struct needs *needs);

/* The image that lies in a drive that can be opened; "": the drive is empty. */
void medium_need(const char *name, const char *image, const char *format, struct needs *needs);

/* Whoever has written an image of another format than these may have it lead to any file. */
bool format_is_plain(const char *format);

/* A path, once, unless it is a need as a script already; and an array of paths. */
void path_need(const char *path, enum need_kind kind, struct needs *needs);
void paths_need(const cJSON *paths, enum need_kind kind, struct needs *needs);

#endif

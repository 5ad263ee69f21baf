/* The name of an origin, by which it is found again when its process has died. */
#ifndef XMIG_HOST_KERNEL_DISKS_ORIGIN_NAME_H
#define XMIG_HOST_KERNEL_DISKS_ORIGIN_NAME_H

#include <stdbool.h>

/* "xmig-ID-DISK-orig". The caller frees it. */
char *origin_name(const char *id, const char *disk);

/* Is it the name of an origin, of migration `id` unless that is NULL? A logical volume may bear
 * such a name, too.
 */
bool origin_name_is(const char *name, const char *id);

#endif

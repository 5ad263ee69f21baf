/* What an xmig that died has left of its tracking: volumes with a table of type `era`, perhaps
 * suspended, and their origins. All of it is found by the origins' names, "xmig-ID-DISK-orig", and
 * known by their uuids, "CRYPT-TEMP-XMIG-" and the name; the notes of writes go with the table.
 */
#ifndef XMIG_HOST_KERNEL_DISKS_LEFTOVERS_H
#define XMIG_HOST_KERNEL_DISKS_LEFTOVERS_H

#include "xmig/error.h"

/* Give every volume its plain table back whose tracking no living process goes on with; of
 * migration `id` only, unless that is NULL. `said` is called with a sentence about each, and may be
 * NULL. False if something is left: `err` is about the last of it.
 */
bool tracking_leftovers_end(const char *id, void (*said)(void *arg, const char *text), void *arg,
                            struct error *err);

/* May tracking_leftovers_end() have something to do? Quick: a look at /sys. */
bool tracking_leftovers_exist(void);

#endif

/* Giving a volume in use another table, and taking our tracking away again. */
#ifndef XMIG_HOST_KERNEL_DISKS_EXCHANGE_H
#define XMIG_HOST_KERNEL_DISKS_EXCHANGE_H

#include "xmig/error.h"

/* Give the device `table`. If it cannot go on with that, it gets `before` again, if that is not
 * NULL, and the call fails.
 */
bool exchange_table(const char *name, const char *table, const char *before, struct error *err);

/* The same with a table that is loaded already: for as long as this takes, the device stands still.
 */
bool exchange_loaded(const char *name, const char *before, struct error *err);

/* After a suspend or a resume that has failed: a device that is suspended gets `plain`, unless that
 * is NULL, and goes on. What fails is appended to `err`.
 */
void exchange_wake(const char *name, const char *plain, struct error *err);

/* Give every device that tracks writes to `origin` the origin's own table, and let it go on. True
 * also when there is none. Another table, which somebody else has given the device, stays.
 *
 * False also while a command of LVM changes the volume group: its change and ours would take each
 * other's tables. Only a device whose guest would suffer does not wait for it.
 */
bool exchange_back(const char *origin, struct error *err);

/* The same, and remove the origin, which nobody may have open. */
bool exchange_undo(const char *origin, struct error *err);

#endif

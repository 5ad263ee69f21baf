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

/* Give every device that tracks writes to `origin` the origin's own table, let it go on, and remove
 * the origin. True also when there is none. Another table, which somebody else has given the
 * device, stays.
 */
bool exchange_undo(const char *origin, struct error *err);

#endif

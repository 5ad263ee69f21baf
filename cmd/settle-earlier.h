/* Earlier migrations of a VM, that were broken off: whoever moves it again has them settled first,
 * for the target may keep RAM and disks for them, and the VM may stand still.
 */
#ifndef XMIG_CMD_SETTLE_EARLIER_H
#define XMIG_CMD_SETTLE_EARLIER_H

#include "directories.h"
#include "report.h"

/* `vm` as the user wrote it. False: one cannot be settled; `err` says which, and what to do. With
 * `look_only` nothing is done but to tell of them.
 */
bool settle_earlier(const struct directories *directories, const char *vm, bool look_only,
                    struct report *report, struct error *err);

#endif

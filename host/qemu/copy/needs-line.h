/* What a QEMU's parameters, and the words of its command line, would need of this host. */
#ifndef XMIG_HOST_QEMU_COPY_NEEDS_LINE_H
#define XMIG_HOST_QEMU_COPY_NEEDS_LINE_H

#include "host/qemu/params.h"
#include "xmig/needs.h"

/* All that the parameters need (needs.c). */
bool machine_needs(const struct qemu_params *params, const struct policy *policy, bool mirrored,
                   struct needs *needs, struct error *err);

/* Does QEMU come to run as another user by its own doing? */
bool line_drops_privileges(const cJSON *words);

/* Add what the words of the parameters need, but for the images of `disks`, the last of which has
 * no name. False for a line that the table of options refuses (where `err` does not collect that).
 */
bool line_needs(const struct qemu_machine *qemu, const struct disk_params *disks, bool mirrored,
                struct needs *needs, struct error *err);

#endif

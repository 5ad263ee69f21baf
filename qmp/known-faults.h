/* Faults of QEMU that corrupt, crash or hang what is moved, by the versions that have them.
 *
 * To add one, add a row to the table of known-faults.c and one to docs/known-faults.md, which
 * tests/docs/known-faults-page compares. Whoever knows whether a VM can meet the fault calls
 * known_fault_refuse(); a fault that is avoided has no caller, and the page says how.
 */
#ifndef XMIG_QMP_KNOWN_FAULTS_H
#define XMIG_QMP_KNOWN_FAULTS_H

#include "xmig/qmp.h"

#define FAULT_MIRROR_START "mirror-start"
#define FAULT_IDE_TRIM "ide-trim"
#define FAULT_PFLASH_MODE "pflash-mode"

/* Is there a fault of this name, which --despite may have? */
bool known_fault_exists(const char *name);

/* False, refused, if the QEMU of the source has the fault by its version, and `despite` (object
 * NAME → true; NULL) does not name it.
 */
bool known_fault_refuse(const char *name, const struct qmp *q, const cJSON *despite,
                        struct error *err);

/* Has this version the fault? */
bool known_fault_has(const char *name, unsigned major, unsigned minor, unsigned micro);

#endif

/* Migration settings that other tools gave QEMU: set aside during our move, restored after it. */
#ifndef XMIG_QMP_SETTINGS_H
#define XMIG_QMP_SETTINGS_H

#include "xmig/qmp.h"

/* {"capabilities": [those that are on], "parameters": {those that qmp_settings_put() changes}}. The
 * caller frees it.
 */
cJSON *qmp_settings_read(struct qmp *q, struct error *err);

/* These capabilities on (the array ends with NULL), all others off; of the parameters `parameters`
 * (taken), and nothing that another migration has left behind.
 *
 * @param before  what qmp_settings_read() found; NULL: QEMU has just been started
 */
bool qmp_settings_put(struct qmp *q, const char *const capabilities[], cJSON *parameters,
                      const cJSON *before, struct error *err);

/* All as it was `before`. */
bool qmp_settings_restore(struct qmp *q, const cJSON *before, struct error *err);

#endif

/* What an `abort` says. */
#ifndef XMIG_TRANSPORT_ABORT_H
#define XMIG_TRANSPORT_ABORT_H

#include "xmig/json.h"

/* An error at the peer becomes ERROR_PEER; a refusal or a cancellation is one for both sides. */
void abort_reason(const cJSON *abort, struct error *why);

/* The refusals of the peer's checks, as objects with "text"; an older peer sends no list: then
 * `why` is the only one. The caller frees it.
 */
cJSON *abort_refusals(const cJSON *abort, const struct error *why);

#endif

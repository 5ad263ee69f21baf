/* What a sender may do at this host: the policy file, read for one sender.
 * docs/man/xmig-recv.conf.5
 *
 * A target asks the policy before anything is made or run. A receiver that nobody has named has no
 * policy: who started it could log in here, and may do all that this user may.
 */
#ifndef XMIG_POLICY_H
#define XMIG_POLICY_H

#include "xmig/error.h"
#include "xmig/json.h"
#include "xmig/needs.h"

struct policy;

/* The files are `directory`/recv.conf and `directory`/recv.conf.d/ *.conf. The section of the first
 * of `names` (NULL-terminated, one at least) that has one applies, with [default] for the keys that
 * it does not have; or else [default] alone. Where there is none, or a file is bad, the policy
 * permits nothing, and says why. policy_free() frees it.
 */
struct policy *policy_load(const char *directory, const char *const names[]);
void policy_free(struct policy *policy); /* NULL is fine */

/* Whose it is, as its refusals call them. */
const char *policy_name(const struct policy *policy);

/* False (ERROR_REFUSED), with the reason, where it permits nothing at all. */
bool policy_applies(const struct policy *policy, struct error *err);

/* Refuse each need that is not permitted: all at once where `err` collects refusals. */
bool policy_permits(const struct policy *policy, const struct needs *needs, struct error *err);

/* Does it name this program itself? (NULL: there is no policy.) */
bool policy_names_program(const struct policy *policy, const char *path);

/* Take one of the places of max-migrations, until the policy is freed or the process ends. The
 * files that count them are in `runtime_dir`.
 */
bool policy_take_place(struct policy *policy, const char *runtime_dir, struct error *err);

bool policy_permits_faults(const struct policy *policy);

/* Bytes a second; 0: no limit. */
uint64_t policy_bandwidth(const struct policy *policy);

/* How long what is left of an undone migration is kept, in milliseconds, as [default] says, whoever
 * sends; 0: for ever, also where a file cannot be read.
 */
uint64_t policy_keep_ms(const char *directory);

#define POLICY_KEEP_TEXT "90d"

/* ---- for people ---- */

/* What the sender may do, in words: an array of {"key", "value", "from", "text"}; "from" is
 * FILE:LINE, or "" for what holds where no file says otherwise. The caller frees it.
 */
cJSON *policy_describe(const struct policy *policy);

/* The names of all sections. NULL: a file is bad. The caller frees the array. */
cJSON *policy_sections(const char *directory, struct error *err);

#endif

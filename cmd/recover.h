/* `xmig recover` without a person to ask. */
#ifndef XMIG_CMD_RECOVER_H
#define XMIG_CMD_RECOVER_H

#include "directories.h"
#include "xmig/commit.h"

/* As `xmig recover ID` at the source, but nothing is printed. `*result` is what came of the
 * attempt,
 * `*finished` whether the migration's journal is closed now.
 */
void recover_silently(const struct directories *directories, const char *id, struct result *result,
                      bool *finished);

enum unattended {
    UNATTENDED_GOES_ON, /* settled, or to be asked again soon */
    UNATTENDED_NEEDS_A_PERSON,
};

/* Try once to settle migration `id` without a person: end no living process, ask for no password,
 * wait for nothing. What happens is written to the migration's log.
 */
enum unattended recover_unattended(const struct directories *directories, const char *id,
                                   enum side side, bool lease_is_over);

/* The same attempt for `recover --all`: returns its result as xmig-json(5) describes it, which the
 * caller frees.
 */
cJSON *recover_one_of_all(const struct directories *directories, const char *id, enum side side);

#endif

/* `xmig recover` without a person to ask. */
#ifndef XMIG_CMD_RECOVER_H
#define XMIG_CMD_RECOVER_H

#include "places.h"
#include "xmig/commit.h"

/* As `xmig recover ID` at the source, but without its words: what came of it; `*finished`: its
 * journal is closed.
 */
void recover_silently(const struct places *places, const char *id, struct result *result,
                      bool *finished);

enum unattended {
    UNATTENDED_GOES_ON, /* settled, or to be asked again soon */
    UNATTENDED_NEEDS_A_PERSON,
};

/* Settle migration `id` without a person to ask: no living process is ended, no
 * password wanted, nothing waited for. It is told in the migration's log.
 */
enum unattended recover_unattended(const struct places *places, const char *id, enum side side,
                                   bool lease_is_over);

/* The same, once, of one migration of all: how it ended, as xmig-json(5) has it. The caller
 * frees it.
 */
cJSON *recover_one_of_all(const struct places *places, const char *id, enum side side);

#endif

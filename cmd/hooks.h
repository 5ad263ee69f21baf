/* What else is done on a host when a move has ended there, well or not. */
#ifndef XMIG_CMD_HOOKS_H
#define XMIG_CMD_HOOKS_H

#include "directories.h"
#include "report.h"

/* If the journal of this side is closed, run the programs in CONFIG_DIR/hooks.d, and then the
 * sender's --on-done: once, by whichever process sees the end first. The caller has seen the
 * journal open: what ended long ago has no hooks any more. What fails is a warning, and changes
 * nothing.
 */
void hooks_run(const struct directories *directories, const char *id, enum side side,
               struct report *report);

#endif

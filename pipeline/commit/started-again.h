/* The source's copy has ended, and a service manager, or a person, starts the VM again here. */
#ifndef XMIG_PIPELINE_COMMIT_STARTED_AGAIN_H
#define XMIG_PIPELINE_COMMIT_STARTED_AGAIN_H

#include "xmig/move.h"

/* The guest is the source's, and `result->state` tells how its copy is. One that has ended: is
 * the VM started again here, or just about to be? Then that is the VM: `result->state` is
 * RUN_RUNNING, and `result->again` names it. Not to be asked while COMMIT is the last word.
 */
bool started_again(struct migration *m, struct result *result);

#endif

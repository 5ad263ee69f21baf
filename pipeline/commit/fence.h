/* The old copy's fence: the host's own, and --fence-command. */
#ifndef XMIG_PIPELINE_COMMIT_FENCE_H
#define XMIG_PIPELINE_COMMIT_FENCE_H

#include "xmig/move.h"

/* Put it up, before every GO, or take it off. */
bool fence_put_up(struct migration *m, struct error *err);
bool fence_take_off(struct migration *m, struct error *err);

#endif

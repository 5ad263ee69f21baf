/* The checks and plans of both sides, before anything is begun. */
#ifndef XMIG_PIPELINE_RUN_CHECKS_H
#define XMIG_PIPELINE_RUN_CHECKS_H

#include "xmig/move.h"

/* False: no check can follow, for want of what this one would have found, or a failure. */
bool checks_make(struct migration *m, struct error *err);

/* This side's checks have been made; each tells the other what it would do. A sender that
 * has refused hears first what the receiver refuses, so that a person has all of it at once.
 */
bool checks_exchange_plans(struct migration *m, struct error *err);

/* All that is refused, this side's first, as one error. */
bool checks_gather_refusals(struct migration *m, struct error *err);

#endif

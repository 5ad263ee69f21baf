/* What the files of this room, recover and serve share with the pipeline. */
#ifndef XMIG_PIPELINE_RUN_PIPELINE_H
#define XMIG_PIPELINE_RUN_PIPELINE_H

#include "xmig/move.h"
#include "xmig/stage.h"

/* Fill in the stages that take part, their states and the session's stations. */
void pipeline_choose_stages(struct migration *m);

/* A barrier waits for the peer's `done` without a deadline: a peer that works says `alive`, and one
 * that falls silent counts as lost, which ends the wait.
 */
#define BARRIER_MS LOOP_NO_DEADLINE

static inline const struct stage_half *half_of(const struct migration *m, const struct stage *stage)
{
    return m->side == SIDE_SEND ? &stage->send : &stage->recv;
}

#endif

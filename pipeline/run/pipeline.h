/* What recover and serve share with the pipeline. */
#ifndef XMIG_PIPELINE_RUN_PIPELINE_H
#define XMIG_PIPELINE_RUN_PIPELINE_H

#include "xmig/move.h"

/* Fill in the stages that take part, their states and the session's stations. */
void pipeline_choose_stages(struct migration *m);

#endif

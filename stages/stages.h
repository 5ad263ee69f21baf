/* Each stage's descriptor, for catalog.c and for the stages' own tests. */
#ifndef XMIG_STAGES_STAGES_H
#define XMIG_STAGES_STAGES_H

#include "xmig/stage.h"

extern const struct stage params_copy;
extern const struct stage qemu_defer_start;
extern const struct stage drive_mirror;
extern const struct stage block_ready_wait;
extern const struct stage ram_stream;
extern const struct stage incoming_resume;

#endif

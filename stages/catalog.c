/* The list of stages, in order; the only list. */
#include "stages.h"

#include <string.h>

const struct stage *const stage_catalog[] = {
    &params_copy, &qemu_defer_start, &drive_mirror, &block_ready_wait,
    &ram_stream,  &incoming_resume,  NULL,
};

const struct stage *stage_find(const char *name)
{
    for (const struct stage *const *stage = stage_catalog; *stage; stage++)
        if (!strcmp((*stage)->name, name))
            return *stage;
    return NULL;
}

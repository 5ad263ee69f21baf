/* What a simulated guest tells its copy. */
#ifndef XMIG_HOST_SIMULATED_PARAMS_H
#define XMIG_HOST_SIMULATED_PARAMS_H

#include "xmig/vm-params.h"

struct simulated_params {
    char name[64];
    uint64_t memory;    /* bytes */
    const cJSON *disks; /* struct vm_disk */
    char hang[8];       /* where the copy is to hang; "" */
    uint64_t flush_ms;  /* how long it needs to flush its disks */
};

extern const struct field simulated_fields[];

#endif

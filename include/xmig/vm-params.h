/* What of the parameters every hypervisor says, and whoever knows no hypervisor reads. */
#ifndef XMIG_VM_PARAMS_H
#define XMIG_VM_PARAMS_H

#include "xmig/fields.h"

struct vm_disk {
    const char *name; /* "vda" */
    uint64_t size;    /* virtual bytes */
};

struct vm_params {
    const char *name;   /* the VM's at the target */
    uint64_t memory;    /* bytes of guest RAM */
    const cJSON *disks; /* struct vm_disk */
};

extern const struct field vm_disk_fields[], vm_fields[];

#endif

/* The members of a simulated guest's parameters. */
#include "params.h"

#include "core/field-rows.h"

#define FIELDS_OF struct simulated_params
const struct field simulated_fields[] = {
    CHARS(name),
    NUMBER(memory),
    EACH(disks, vm_disk_fields),
    CHARS(hang, OPTIONAL),
    NUMBER(flush_ms, OPTIONAL),
    { 0 },
};

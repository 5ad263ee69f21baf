/* The members of the parameters that every hypervisor has: rows for the reader and the writer of
 * core/fields.c.
 */
#include "xmig/vm-params.h"

#include "core/field-rows.h"

#define FIELDS_OF struct vm_disk
const struct field vm_disk_fields[] = { TEXT(name, .is_valid = field_is_name),
                                        NUMBER(size),
                                        { 0 } };

#undef FIELDS_OF
#define FIELDS_OF struct vm_params
const struct field vm_fields[] = {
    TEXT(name),
    NUMBER(memory),
    EACH(disks, vm_disk_fields),
    { 0 },
};

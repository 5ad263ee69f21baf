/* The device mapper's devices, by libdevmapper. Not for two threads at once. */
#ifndef XMIG_HOST_KERNEL_DISKS_DEVICE_MAPPER_H
#define XMIG_HOST_KERNEL_DISKS_DEVICE_MAPPER_H

#include <sys/types.h>

#include "xmig/error.h"

enum {
    MAPPED_NAME_MAX = 128
};

struct mapped_device {
    char name[MAPPED_NAME_MAX];
    dev_t number;
    bool is_absent;    /* there is none, and all the rest says nothing */
    bool is_lvm;       /* a logical volume */
    bool is_made_here; /* by mapper_create(), under this name */
    bool is_read_only; /* by its table, or since somebody has said so */
    bool suspended;
    bool has_loaded; /* a second table, which mapper_resume() would give it */
};

/* False: there is no device of this number or name (`is_absent`), or it cannot be looked at. */
bool mapper_find(dev_t number, struct mapped_device *device, struct error *err);
bool mapper_look(const char *name, struct mapped_device *device, struct error *err);

/* `seen` is called with each device's name. */
bool mapper_each(void (*seen)(void *arg, const char *name), void *arg, struct error *err);

/* Its table, with the keys of what is encrypted, and what it says of its state. A suspended device
 * of type era gives no state: the call would wait for its resume. The caller frees them.
 */
char *mapper_table(const char *name, struct error *err);
char *mapper_state(const char *name, struct error *err);

/* Make a device, which udev leaves alone. */
bool mapper_create(const char *name, const char *table, struct error *err);
/* True also when there is none. */
bool mapper_remove(const char *name, struct error *err);

/* Give a device a second table, which mapper_resume() then makes its only one; drop that. */
bool mapper_load(const char *name, const char *table, struct error *err);
bool mapper_unload(const char *name, struct error *err);

/* Hold new I/O, and wait for what is under way; signals wait, too. Nothing but mapper_resume() may
 * follow: whoever looks at block devices would wait as well.
 */
bool mapper_suspend(const char *name, struct error *err);

/* Let a device go on. A device that runs and has a second table is suspended and resumed with it by
 * the kernel, in this one call. After a failure the device may be suspended.
 */
bool mapper_resume(const char *name, struct error *err);

bool mapper_message(const char *name, const char *text, struct error *err);

/* The volume group of the logical volume that has this name in the device mapper. The caller frees
 * it; NULL: the name is no logical volume's.
 */
char *mapper_volume_group(const char *name);

#endif

/* A block device in memory: a loop device over a file that has no name. It goes when nobody has it
 * open any more, a device of the device mapper included; so a dead process leaves none.
 */
#ifndef XMIG_HOST_KERNEL_DISKS_MEMORY_DEVICE_H
#define XMIG_HOST_KERNEL_DISKS_MEMORY_DEVICE_H

#include <stdint.h>
#include <sys/types.h>

#include "xmig/error.h"

struct memory_device {
    int file;   /* what is in it may be read here */
    int device; /* keeps it until somebody else has opened it */
    dev_t number;
};

/* Make one of `size` bytes, all of which are allocated; `name` is for people. */
bool memory_device_open(struct memory_device *memory, const char *name, uint64_t size,
                        struct error *err);

/* Somebody else has opened it, and keeps it. */
void memory_device_release(struct memory_device *memory);

/* Close both; descriptors that are -1 are closed already. */
void memory_device_close(struct memory_device *memory);

#endif

/* The copy of a disk that dom0's kernel serves: what the guest writes to it is tracked below the
 * kernel's backend, and xmig itself copies it into an NBD export.
 */
#ifndef XMIG_HOST_DISK_COPY_TRACKED_COPY_H
#define XMIG_HOST_DISK_COPY_TRACKED_COPY_H

#include "xmig/loop.h"

struct tracked_copy;

struct tracked_disk {
    const char *id;     /* of the migration */
    const char *name;   /* the disk's, which the NBD export bears too */
    const char *path;   /* the block device */
    const char *socket; /* where the NBD server is reached */
    uint64_t size;
    bool target_is_zero; /* the target is known to read as zeroes everywhere */
};

/* Track the disk, and begin to copy it. After a failure the disk is as it was. */
struct tracked_copy *tracked_copy_start(struct loop *loop, const struct tracked_disk *disk,
                                        struct error *err);

/* What is to be done now and then, from sequential code. False: the copy cannot become complete. */
bool tracked_copy_go_on(struct tracked_copy *copy, struct error *err);

/* How far is it? `debt` is what would be left if the guest stopped writing. */
struct tracked_state {
    bool ready;
    uint64_t done, total, debt;
};
struct tracked_state tracked_copy_state(const struct tracked_copy *copy);

/* Before the guest is suspended: keep LVM from changing the volume until the end. */
bool tracked_copy_lock(struct tracked_copy *copy, struct error *err);

/* With the guest suspended: begin to copy the rest; then wait for its end, make it durable, and
 * prove that no write was missed. The tracking has ended then.
 */
bool tracked_copy_begin_last(struct tracked_copy *copy, uint64_t stall_ms, struct error *err);
bool tracked_copy_finish(struct tracked_copy *copy, uint64_t stall_ms, struct error *err);

/* End the tracking and the copying, complete or not. False: `err` says what is left of the
 * tracking, which host/kernel-disks/leftovers.h finds. NULL is fine.
 */
bool tracked_copy_free(struct tracked_copy *copy, struct error *err);

#endif

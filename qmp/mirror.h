/* Mirrors: QEMU copies a disk into an NBD export, then sends along every further write.
 * Shared by all hosts whose disks QEMU serves.
 *
 * A mirror is known by the migration's id and the disk's name; its block job and its NBD
 * node in QEMU are named after both, so that one left behind by a crash is found again.
 */
#ifndef XMIG_QMP_MIRROR_H
#define XMIG_QMP_MIRROR_H

#include "xmig/qmp.h"

struct qmp_mirror {
    const char *id;      /* of the migration */
    const char *disk;    /* its name, which the NBD export bears too */
    const char *device;  /* what QEMU calls it: a drive's or a root node's name */
    const char *socket;  /* where the NBD server is reached */
    uint64_t size;       /* virtual bytes */
    bool target_is_zero; /* the target is known to read as zeroes everywhere */
    bool full;           /* the target's image is allocated in full, and shall stay so */
};

struct qmp_mirror_state {
    bool ready;
    uint64_t done, total;
    uint64_t zeroed; /* how far its target has been made zero, while nothing is done yet */
};

/* QEMU takes node names of at most 31 characters. */
enum {
    QMP_NODE_NAME_SIZE = 32
};

/* The name of both job and node. */
void qmp_mirror_name(const char *id, const char *disk, char name[QMP_NODE_NAME_SIZE]);

/* Bytes a bit of the mirror's bitmap stands for, for a disk of `size` bytes. */
unsigned qmp_mirror_granularity(uint64_t size);

/**
 * Start one. QEMU connects to the socket before this returns, and its main loop waits
 * meanwhile: the way to the NBD server should be open already.
 */
bool qmp_mirror_start(struct qmp *q, const struct qmp_mirror *mirror, struct error *err);

/* How far is it? A mirror that has failed, or is gone, is an error that says why. */
bool qmp_mirror_state(struct qmp *q, const char *id, const char *disk,
                      struct qmp_mirror_state *state, struct error *err);

/* The bytes that these mirrors still have to copy. One query for all: QEMU reads commands byte by
 * byte, and wakes three threads for each.
 */
bool qmp_mirrors_debt(struct qmp *q, const char *id, const char *const disks[], size_t count,
                      uint64_t *bytes, struct error *err);

/* Wait until a mirror says that it has caught up, at most `timeout_ms`; then look. `*mark` (0 at
 * first) is how far the events have been heard.
 */
bool qmp_mirror_wait(struct qmp *q, size_t *mark, uint64_t timeout_ms, struct error *err);

/**
 * With the guest paused: let every mirror send what is left, and prove that each has
 * completed without an error. What is left of it in QEMU takes no time now, and is for
 * qmp_mirror_stop() if the guest goes on here.
 *
 * @param stall_ms  give up when nothing has moved for so long; the last step, the flush of the
 *                  target's disk, moves nothing
 */
bool qmp_mirrors_drain(struct qmp *q, const char *id, const char *const disks[], size_t count,
                       uint64_t stall_ms, struct error *err);

/**
 * End one by force, complete or not, and remove all of it. True also when there is none.
 *
 * A request that hangs in the connection cannot be cancelled: cut that first. Gives up after
 * some seconds.
 */
bool qmp_mirror_stop(struct qmp *q, const char *id, const char *disk, struct error *err);

#endif

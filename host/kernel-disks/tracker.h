/* Tracking what a guest writes to a volume of the device mapper that dom0's kernel serves.
 *
 * The volume's table is exchanged for one of type `era` under the running guest, over a second
 * device with the table that the volume had, the *origin*. era notes in a memory file which blocks
 * are written to. The guest does not notice, and the data stay where they are: when the host loses
 * its power, the volume has its plain table again.
 *
 *     tracker_begin();                    then copy all of the origin
 *     tracker_round();                    copy those ranges of the origin; again and again
 *     tracker_lock();                     before the guest is suspended
 *     tracker_round(); tracker_check();   the guest is suspended: the last round, which is complete
 *     tracker_end();                      always
 *
 * Each function blocks for milliseconds, or as long as the storage below keeps I/O waiting. Read
 * the origin with O_DIRECT only: the page cache does not see what the kernel's backend writes.
 */
#ifndef XMIG_HOST_KERNEL_DISKS_TRACKER_H
#define XMIG_HOST_KERNEL_DISKS_TRACKER_H

#include "host/kernel-disks/changed-blocks.h"
#include "xmig/error.h"

struct tracker;

/* Can the writes to block device `path` be tracked? Refuses with the cure. Touches nothing. */
bool tracker_can(const char *path, struct error *err);

/* A tracker for `path`, a disk `disk` of migration `id`, which does nothing yet. */
struct tracker *tracker_new(const char *id, const char *disk, const char *path);
/* Ends the tracking if need be. NULL is fine. */
void tracker_free(struct tracker *tracker);

/* Before tracker_begin(): make do with so much memory for the notes of writes, a multiple of 4 KiB,
 * instead of what the volume's size asks for.
 */
void tracker_limit_notes(struct tracker *tracker, uint64_t bytes);

/* Begin to track. After a failure the volume has the table that it had. */
bool tracker_begin(struct tracker *tracker, struct error *err);

/* The origin's path, to copy from ("/dev/dm-N"); the volume's size in bytes, and a block's. From
 * tracker_begin() on; what tracker_end() has ended has no origin any more.
 */
const char *tracker_origin(const struct tracker *tracker);
uint64_t tracker_size(const struct tracker *tracker);
uint64_t tracker_block(const struct tracker *tracker);

/* Mark in `changed`, beside what is marked there, all blocks that may have been written to since
 * tracker_begin() or the last call, and wait until those writes are on the origin: what was written
 * before this call may be read from there afterwards. The volume is suspended for a moment, unless
 * a command of LVM is changing the volume group: then the next call marks the same once more. So
 * the last round needs tracker_lock().
 *
 * False: the tracking is over and writes may have been missed; the volume has its plain table
 * again, or one that somebody else has given it. Copy all anew, or give up.
 */
bool tracker_round(struct tracker *tracker, struct changed_blocks *changed, struct error *err);

/* Keep LVM's changing commands waiting until tracker_end(); does nothing for what is no logical
 * volume. Fails when one has worked for `timeout_ms` and still does.
 */
bool tracker_lock(struct tracker *tracker, uint64_t timeout_ms, struct error *err);

/* Is the volume's table still ours, and is there room to note further writes? Every second or so,
 * and after the last round: then nothing was missed. False: as for tracker_round().
 */
bool tracker_check(struct tracker *tracker, struct error *err);

/* For how long the volume was suspended at most, in ms. */
uint64_t tracker_longest_suspended_ms(const struct tracker *tracker);

/* Give the volume its plain table back, and take everything away that tracker_begin() made; nobody
 * may have the origin open. True also when that was done before. False: what is left is found by
 * leftovers.h.
 */
bool tracker_end(struct tracker *tracker, struct error *err);

#endif

/* Files brought to the disk by threads of libuv's: a disk may need many seconds, and the loop
 * goes on meanwhile.
 */
#ifndef XMIG_HOST_IMAGES_DISK_SYNC_H
#define XMIG_HOST_IMAGES_DISK_SYNC_H

#include "xmig/loop.h"

struct disk_sync;

/* What was written to `path` until now. NULL: it cannot be opened. */
struct disk_sync *disk_sync_start(struct loop *loop, const char *path, struct error *err);

bool disk_sync_is_over(const struct disk_sync *sync);

/* Wait for its end. */
bool disk_sync_wait(struct disk_sync *sync, uint64_t timeout_ms, struct error *err);

/* What is under way ends by itself. NULL is fine. */
void disk_sync_free(struct disk_sync *sync);

#endif

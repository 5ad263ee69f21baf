/* Makes a file's writes durable in a thread: a disk may need many seconds, and the loop goes on
 * meanwhile.
 */
#ifndef XMIG_HOST_IMAGES_DISK_SYNC_H
#define XMIG_HOST_IMAGES_DISK_SYNC_H

#include "xmig/loop.h"

struct disk_sync;

/* Begin to make durable what was written to `path` until now. NULL: `path` cannot be opened. */
struct disk_sync *disk_sync_start(struct loop *loop, const char *path, struct error *err);

bool disk_sync_is_over(const struct disk_sync *sync);

/* Wait until the writes are durable. */
bool disk_sync_wait(struct disk_sync *sync, uint64_t timeout_ms, struct error *err);

/* Does not wait: a flush that is under way goes on and frees itself. NULL is fine. */
void disk_sync_free(struct disk_sync *sync);

#endif

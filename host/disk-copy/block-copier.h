/* Copy blocks of a device to an NBD export: several pieces at a time, in bounded memory. */
#ifndef XMIG_HOST_DISK_COPY_BLOCK_COPIER_H
#define XMIG_HOST_DISK_COPY_BLOCK_COPIER_H

#include "host/disk-copy/nbd-writer.h"
#include "host/kernel-disks/changed-blocks.h"

struct block_copier;

/* Copy from `fd` to `writer`; both are taken. The device is read in pieces that suit O_DIRECT. */
struct block_copier *block_copier_new(struct loop *loop, int fd, struct nbd_writer *writer);

/* Begin to copy the marked blocks, which are borrowed until block_copier_is_idle(). Zeroes never
 * cross the link: the export makes them, or, with `skip_zeroes`, has them.
 */
void block_copier_copy(struct block_copier *copier, const struct changed_blocks *marked,
                       bool skip_zeroes);

/* Begin to make durable what was copied, until block_copier_is_idle(). */
void block_copier_flush(struct block_copier *copier);

/* Is nothing under way: either all was copied, or something has gone wrong? For loop_wait(). */
bool block_copier_is_idle(void *copier);
bool block_copier_ok(const struct block_copier *copier, struct error *err);

/* The bytes copied since it was made, and when the last piece was (loop_now_ms()). */
uint64_t block_copier_done(const struct block_copier *copier);
uint64_t block_copier_done_ms(const struct block_copier *copier);

/* End what is under way. NULL is fine. */
void block_copier_free(struct block_copier *copier);

#endif

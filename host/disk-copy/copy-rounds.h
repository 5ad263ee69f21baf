/* Copy a disk while it is written to: all of it, then in rounds what was written meanwhile. */
#ifndef XMIG_HOST_DISK_COPY_COPY_ROUNDS_H
#define XMIG_HOST_DISK_COPY_COPY_ROUNDS_H

#include "host/disk-copy/block-copier.h"

/* Mark all blocks that may have been written to since it was asked last; what was written before is
 * in the device to copy from. Called from sequential code.
 */
struct writes {
    bool (*since_last)(void *arg, struct changed_blocks *changed, struct error *err);
    void *arg;
};

struct copy_rounds;

/* Begin to copy all blocks of `copier`'s device (taken), to which every write is noted already.
 *
 * @param skip_zeroes  the target is known to read as zeroes everywhere
 */
struct copy_rounds *copy_rounds_new(struct loop *loop, struct block_copier *copier,
                                    struct writes writes, uint64_t size, uint64_t block,
                                    bool skip_zeroes);

/* What there is to do now and then: begin the next round when the last is over. From sequential
 * code. False: the copy cannot become complete.
 */
bool copy_rounds_go_on(struct copy_rounds *rounds, struct error *err);

/* Has a round been copied much faster than it was written? Then the copy follows the guest. */
bool copy_rounds_are_ready(const struct copy_rounds *rounds);

/* The bytes copied, and to be copied in all that is known. */
uint64_t copy_rounds_done(const struct copy_rounds *rounds);
uint64_t copy_rounds_total(const struct copy_rounds *rounds);

/* How many bytes would be left to copy if nothing were written from now on, by the rate at which
 * the last round was written.
 */
uint64_t copy_rounds_debt(const struct copy_rounds *rounds);

/* Nothing is written any more: begin to copy the rest; then wait for its end, and make it durable.
 * Afterwards the copy is complete if no write was missed.
 *
 * @param stall_ms  give up when nothing has moved for so long
 */
bool copy_rounds_begin_last(struct copy_rounds *rounds, uint64_t stall_ms, struct error *err);
bool copy_rounds_finish(struct copy_rounds *rounds, uint64_t stall_ms, struct error *err);

/* NULL is fine. */
void copy_rounds_free(struct copy_rounds *rounds);

#endif

/* Reading the metadata of a device of type `era`: which blocks were written to since an era. */
#ifndef XMIG_HOST_KERNEL_DISKS_ERA_METADATA_H
#define XMIG_HOST_KERNEL_DISKS_ERA_METADATA_H

#include "host/kernel-disks/changed-blocks.h"
#include "xmig/error.h"

/* How large a block is to be, in bytes, for a volume of `size` bytes whose storage discards in
 * units of `granularity` bytes (0: it does not discard). 64 KiB, and more for a volume of more than
 * 64 GiB: so there are a million blocks at most.
 */
uint64_t era_block_size(uint64_t size, uint64_t granularity);

/* How many bytes of metadata such a volume needs, with a snapshot held: 4 bytes for the era of each
 * block, as much again for what changes meanwhile, and what is fixed.
 */
uint64_t era_metadata_size(uint64_t size, uint64_t block);

/* Mark in `changed` the blocks that were written to in the era `since` or later, by the metadata in
 * `fd` and there by the snapshot at the block numbered `snapshot`. The bytes are the kernel's, and
 * not trusted all the same. False: ERROR_SYSTEM, and `changed` may be marked in part.
 */
bool era_metadata_read(int fd, uint64_t snapshot, uint32_t since, struct changed_blocks *changed,
                       struct error *err);

#endif

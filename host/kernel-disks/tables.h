/* The tables of the device mapper, and what era says of its state, as text.
 *
 * A table is a line for each part of the device: first sector, sectors, type, and the type's words.
 */
#ifndef XMIG_HOST_KERNEL_DISKS_TABLES_H
#define XMIG_HOST_KERNEL_DISKS_TABLES_H

#include <stdint.h>
#include <sys/types.h>

#include "xmig/error.h"

enum {
    SECTOR = 512 /* the device mapper's, whatever the device's own are */
};

/* Can a second device be given `table` beside the first? Only if the table is all that such a
 * device is: a RAID also has a state, which two devices would both write. Refuses with the cure.
 */
bool table_can_be_shared(const char *table, struct error *err);

/* The pool of the thin volume whose table this is; 0: it is none. And of the pool's state: has it
 * room for what the guest may write until it can be extended again?
 */
dev_t table_pool(const char *table);
bool pool_has_room(const char *status, struct error *err);

/* How many sectors it maps. */
uint64_t table_sectors(const char *table);

/* The table that tracks writes to `origin`, as the kernel gives it back. The caller frees it. */
char *table_of_era(uint64_t size, dev_t metadata, dev_t origin, uint64_t block);

/* Does this table track writes to `origin`, whoever made it? */
bool table_tracks(const char *table, dev_t origin);

/* What a device of type era says of its state. */
struct era_state {
    bool failed;         /* it has no room for its notes, or cannot write them */
    uint64_t used, most; /* blocks of metadata */
    uint32_t era;        /* the running one */
    uint64_t snapshot;   /* the block of the snapshot that is held; 0: none is */
};

bool era_state_parse(const char *status, struct era_state *state, struct error *err);

#endif

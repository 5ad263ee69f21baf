/* Which file or block device is it, whatever it is called? */
#ifndef XMIG_HOST_SYSTEM_IMAGE_IDENTITY_H
#define XMIG_HOST_SYSTEM_IMAGE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* What a name leads to: a file, or a block device, whatever it is called. */
struct image_identity {
    uint64_t device;
    uint64_t inode; /* 0: it is the block device `device` */
};

struct image_identity image_identity(const struct stat *st);
bool image_is_same(const struct image_identity *one, const struct image_identity *other);

#endif

/* Tells whether two names lead to the same file or block device. */
#ifndef XMIG_HOST_SYSTEM_IMAGE_IDENTITY_H
#define XMIG_HOST_SYSTEM_IMAGE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* The file or block device that a name leads to; the same for all of its names. */
struct image_identity {
    uint64_t device;
    uint64_t inode; /* 0: not a file, but the block device `device` */
};

struct image_identity image_identity(const struct stat *st);
bool image_is_same(const struct image_identity *one, const struct image_identity *other);

#endif

#include "host/system/image-identity.h"

struct image_identity image_identity(const struct stat *st)
{
    if (S_ISBLK(st->st_mode))
        return (struct image_identity){ .device = st->st_rdev };
    return (struct image_identity){ .device = st->st_dev, .inode = st->st_ino };
}

bool image_is_same(const struct image_identity *one, const struct image_identity *other)
{
    return one->device == other->device && one->inode == other->inode;
}

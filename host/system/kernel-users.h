/* The kernel itself may write to an image: through a loop device, one that is made of it (LVM,
 * RAID, dm-crypt), or a file system that is mounted from it. No process has it open then.
 */
#ifndef XMIG_HOST_SYSTEM_KERNEL_USERS_H
#define XMIG_HOST_SYSTEM_KERNEL_USERS_H

#include "host/system/image-users.h"

void kernel_users_each(const struct image_users_search *search,
                       void (*each)(void *arg, const struct image_user *other), void *arg);

#endif

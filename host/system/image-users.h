/* Who else runs a VM, or writes to its images? Only /proc and /sys can say: QEMU's own locks on its
 * images can be turned off, and other programs, and the kernel, take none.
 */
#ifndef XMIG_HOST_SYSTEM_IMAGE_USERS_H
#define XMIG_HOST_SYSTEM_IMAGE_USERS_H

#include "host/system/image-identity.h"
#include "xmig/json.h"

/* A process, as far as it can be told what it is; borrowed. */
struct other_process {
    const char *line; /* its command line, which it may have chosen itself: NUL-terminated words */
    size_t len;
    const char *exe; /* the program's file; NULL: we may not know */
    uid_t uid;       /* with whose rights it works */
};

struct image_users_search {
    const struct image_identity *images;
    size_t image_count;
    pid_t own;      /* the VM's process */
    const char *id; /* this migration's: its copy at the target may run on this machine, too */
    /* Is it the VM once more? NULL: no process can be. */
    bool (*is_copy)(void *arg, const struct other_process *process);
    void *arg;
    bool leaves_kernel_out; /* it serves the images to the VM itself */
    const char *sys;        /* NULL: "/sys" */
};

struct image_user {
    pid_t pid;           /* 0: the kernel */
    uint64_t start_time; /* the kernel's: the number of a device */
    char who[128];       /* "process 12 (qemu)", "the kernel (loop device 'loop3')" */
    size_t image;        /* which one it may write to, if `has_image` */
    bool has_image;
    bool is_copy;
};

/* One walk through all processes that we may look at, and through the kernel's block devices. */
void image_users_each(const struct image_users_search *search,
                      void (*each)(void *arg, const struct image_user *other), void *arg);

/* Is the VM once more there, with one of the images open? `who` is which process that is. */
bool image_users_find_copy(const struct image_users_search *search, char *who, size_t size);

#endif

/* The files that a QEMU has open, to find each disk's image: by the path that QEMU reports for the
 * disk, or, when the file was renamed since, by file name and size.
 */
#ifndef XMIG_HOST_IMAGES_OPEN_FILES_H
#define XMIG_HOST_IMAGES_OPEN_FILES_H

#include "host/system/image-users.h"

struct open_file {
    int fd; /* in the QEMU process */
    struct image_identity identity;
    uint64_t size; /* virtual, if it is an image */
    char *name;    /* a path that leads to it in our mount namespace; NULL: none does */
    char *called;  /* the path in /proc/PID/fd, without " (deleted)" */
    bool deleted;
    bool writable;
    bool claimed; /* found to be a disk's image */
};

struct open_files {
    pid_t pid;
    char *cwd;
    struct open_file *files;
    size_t count;
};

/* List regular files and block devices, each once. open_files_done() frees the list. */
void open_files_read(pid_t pid, const char *cwd, struct open_files *files);
void open_files_done(struct open_files *files);

/* Claim the open file to which `name` leads in QEMU's root and working directory. NULL: QEMU has no
 * such file open.
 */
struct open_file *open_files_by_name(struct open_files *files, const char *name);

/* Claim the only unclaimed file with the last component of `name`, or else the only one with this
 * virtual size. NULL: neither finds exactly one.
 */
struct open_file *open_files_by_likeness(struct open_files *files, const char *name, uint64_t size,
                                         bool writable);

#endif

/* The files that a QEMU has open. Which of them is a disk's image is known by what QEMU calls it,
 * looked up as QEMU would; but names change, and directories, while a file stays open.
 */
#ifndef XMIG_HOST_IMAGES_OPEN_FILES_H
#define XMIG_HOST_IMAGES_OPEN_FILES_H

#include "host/system/others.h"

struct open_file {
    int fd; /* of QEMU's */
    struct image_identity identity;
    uint64_t size; /* virtual, if it is an image */
    char *name;    /* by which it is found on this host now; NULL: it has none */
    char *called;  /* what the kernel calls it */
    bool deleted;
    bool writable;
    bool claimed; /* as an image */
};

struct open_files {
    pid_t pid;
    char *cwd;
    struct open_file *files;
    size_t count;
};

/* Regular files and block devices, each once. open_files_done() frees what it holds. */
void open_files_read(pid_t pid, const char *cwd, struct open_files *files);
void open_files_done(struct open_files *files);

/* The file that QEMU's name for it leads to, by its own root and directory; it is claimed then.
 * NULL: that is none of the open ones.
 */
struct open_file *open_files_by_name(struct open_files *files, const char *name);

/* One that nobody has claimed, and that alone has the last part of `name`, or is an image of this
 * virtual size. NULL: none, or more than one.
 */
struct open_file *open_files_by_likeness(struct open_files *files, const char *name, uint64_t size,
                                         bool writable);

#endif

/* flock(2) on LVM's file for the group. */
#include "host/kernel-disks/lvm-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "xmig/cleanup.h"
#include "xmig/directory.h"
#include "xmig/loop.h"
#include "xmig/text.h"

static const char directory[] = "/run/lock/lvm";

/* A command that has changed the group removes the file that it had locked. */
static bool is_still_there(const char *path, int fd)
{
    struct stat named, open;

    return stat(path, &named) == 0 && fstat(fd, &open) == 0 && named.st_ino == open.st_ino;
}

/* -1 with EWOULDBLOCK: somebody has it. */
static int try(const char *path)
{
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0)
        return -1;
    if (is_still_there(path, fd))
        return steal_fd(&fd);
    errno = EWOULDBLOCK;
    return -1;
}

int lvm_lock_hold(const char *group, uint64_t timeout_ms, struct error *err)
{
    AUTO_FREE char *path = formatted("%s/V_%s", directory, group);
    uint64_t end = loop_now_ms() + timeout_ms;
    int fd;

    if (!directory_make_all(directory, err))
        return -1;
    while ((fd = try(path)) < 0 && errno == EWOULDBLOCK && loop_now_ms() < end)
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    if (fd < 0 && errno == EWOULDBLOCK)
        error_set(err, ERROR_SYSTEM,
                  "a command of LVM has worked on the volume group '%s' for %g s, and still does",
                  group, (double)timeout_ms / 1000);
    else if (fd < 0)
        error_set(err, ERROR_SYSTEM, "cannot lock '%s': %m", path);
    return fd;
}

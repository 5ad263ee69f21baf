/* For LD_PRELOAD: as long as the file FULL_DISK_FLAG exists, there is no room for what is written
 * to files whose path has FULL_DISK_FILES in it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_full(int fd)
{
    const char *flag = getenv("FULL_DISK_FLAG");
    const char *wanted = getenv("FULL_DISK_FILES");
    char link[64], path[4096] = "";

    if (!flag || !wanted || access(flag, F_OK) < 0)
        return 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, wanted);
}

static ssize_t no_room(void)
{
    errno = ENOSPC;
    return -1;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) =
        (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");

    return is_full(fd) ? no_room() : real(fd, data, size, at);
}

ssize_t pwritev64(int fd, const struct iovec *data, int count, off64_t at)
{
    ssize_t (*real)(int, const struct iovec *, int, off64_t) =
        (ssize_t(*)(int, const struct iovec *, int, off64_t))dlsym(RTLD_NEXT, "pwritev64");

    return is_full(fd) ? no_room() : real(fd, data, count, at);
}

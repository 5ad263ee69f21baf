/* For LD_PRELOAD: a slow disk. Of each file whose path has SLOW_SYNC_FILES in it the first
 * SLOW_SYNC_TIMES (0: all) syncs, by whichever process, take SLOW_SYNC_MS milliseconds longer.
 * They are counted in the directory SLOW_SYNC_COUNTS. And a QEMU listens at its sockets
 * SLOW_LISTEN_MS after it has made them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long setting(const char *name)
{
    const char *text = getenv(name);

    return text ? atol(text) : 0;
}

static int is_slow(int fd)
{
    const char *wanted = getenv("SLOW_SYNC_FILES");
    char link[64], path[4096] = "";

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return wanted && readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, wanted);
}

/* How many syncs of this file there were before. */
static long count(int fd)
{
    const char *dir = getenv("SLOW_SYNC_COUNTS");
    struct stat st;
    char path[4096];
    long before;
    int file;

    if (!dir || fstat(fd, &st) < 0)
        return 0;
    snprintf(path, sizeof(path), "%s/%lu", dir, (unsigned long)st.st_ino);
    file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0 || flock(file, LOCK_EX) < 0)
        abort();
    before = lseek(file, 0, SEEK_END);
    if (write(file, "x", 1) != 1)
        abort();
    close(file);
    return before;
}

static void rest(long ms)
{
    struct timespec length = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&length, NULL);
}

static void delay(int fd)
{
    long times = setting("SLOW_SYNC_TIMES");

    if (is_slow(fd) && (times == 0 || count(fd) < times))
        rest(setting("SLOW_SYNC_MS"));
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");

    delay(fd);
    return real(fd);
}

int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");

    delay(fd);
    return real(fd);
}

int listen(int fd, int queue)
{
    int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "listen");

    if (!strncmp(program_invocation_short_name, "qemu", 4))
        rest(setting("SLOW_LISTEN_MS"));
    return real(fd, queue);
}

/* flock(2) on LVM's file for the group. */
#include "host/kernel-disks/lvm-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "xmig/bytes.h"
#include "xmig/cleanup.h"
#include "xmig/directory.h"
#include "xmig/loop.h"
#include "xmig/text.h"

static const char directory[] = "/run/lock/lvm";

/* ---- whose lock it is ---- */

/* "locking_dir = ..." of the section "global", which may stand before the name. */
static bool is_setting_of_ours(const char *line)
{
    char name[64], value[256];
    const char *last;

    if (sscanf(line, " %63[a-z_/] = %255s", name, value) != 2)
        return true;
    last = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    if (!strcmp(last, "locking_dir"))
        return !strcmp(value, "\"/run/lock/lvm\"");
    return strcmp(last, "use_lvmlockd") != 0 || !strcmp(value, "0");
}

static bool is_configured_so(const char *path, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    AUTO_FREE char *text = NULL;
    char *rest = NULL;
    size_t size;

    if (fd < 0)
        return errno == ENOENT || error_set(err, ERROR_REFUSED, "cannot read '%s': %m", path);
    text = bytes_read_all(fd, &size);
    if (!text)
        return error_set(err, ERROR_REFUSED, "cannot read '%s': %m", path);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (!is_setting_of_ours(line))
            return error_set(err, ERROR_REFUSED, "by '%s' LVM has its locks elsewhere", path);
    return true;
}

bool lvm_lock_is_lvms(const char *root, struct error *err)
{
    AUTO_FREE char *locks = formatted("%s%s", root, directory);
    AUTO_FREE char *daemon = formatted("%s/run/lvm/lvmlockd.socket", root);
    AUTO_FREE char *config = formatted("%s/etc/lvm/lvm.conf", root);
    AUTO_FREE char *local = formatted("%s/etc/lvm/lvmlocal.conf", root);

    if (access(locks, F_OK) < 0)
        return error_set(err, ERROR_REFUSED, "LVM has no locks in '%s': %m", locks);
    if (access(daemon, F_OK) == 0)
        return error_set(err, ERROR_REFUSED, "lvmlockd has LVM's locks ('%s')", daemon);
    return is_configured_so(config, err) && is_configured_so(local, err);
}

/* ---- holding it ---- */

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
        error_set(err, ERROR_SYSTEM, "a command of LVM is at work on the volume group '%s'", group);
    else if (fd < 0)
        error_set(err, ERROR_SYSTEM, "cannot lock '%s': %m", path);
    return fd;
}

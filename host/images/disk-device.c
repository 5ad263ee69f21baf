/* Block devices as images. xmig never makes or deletes one, it only writes to it: so the device is
 * checked with care first.
 */
#include "host/images/disk-device.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/images/disk-mapping.h"
#include "xmig/cleanup.h"

enum {
    PROBED = 1024 * 1024 /* at either end: there lies what file systems are known by */
};

bool disk_device_is(const char *path)
{
    return !strncmp(path, "/dev/", 5) && strncmp(path, "/dev/shm/", 9) != 0;
}

/* A volume has whole extents, and need not come out right: a larger one serves. */
static bool check_size(const struct disk_params *disk, int fd, struct error *err)
{
    const char *path = disk->image;
    uint64_t wanted = disk->size;
    uint64_t size;

    if (ioctl(fd, BLKGETSIZE64, &size) < 0)
        return error_set(err, ERROR_REFUSED, "cannot ask '%s' for its size: %m", path);
    if (size < wanted)
        return error_set(err, ERROR_REFUSED,
                         "'%s' has %" PRIu64 " bytes, and the disk has %" PRIu64
                         ": make it that large (lvextend -L %" PRIu64 "b %s)",
                         path, size, wanted, wanted, path);
    return size == wanted || disk_mapping_check(err) ||
           error_prefix(err, "'%s' has %" PRIu64 " bytes, and the disk has %" PRIu64, path, size,
                        wanted);
}

static bool is_empty(int fd, uint64_t offset)
{
    AUTO_FREE char *data = must(malloc(PROBED));
    ssize_t got = pread(fd, data, PROBED, (off_t)offset);

    for (ssize_t i = 0; i < got; i++)
        if (data[i])
            return false;
    return got >= 0;
}

static bool check_content(const struct disk_params *disk, int fd, struct error *err)
{
    uint64_t last = disk->size > PROBED ? disk->size - PROBED : 0;

    return disk->overwrite || (is_empty(fd, 0) && is_empty(fd, last)) ||
           error_set(err, ERROR_REFUSED,
                     "'%s' holds data, and nothing is overwritten unasked: say --overwrite %s if "
                     "it is of no use any more",
                     disk->image, disk->name);
}

/* A device that a fence has made read-only stays so until a person says `xmig fence off`. */
static bool refuse_to_open(const char *path, struct error *err)
{
    int cause = errno;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int read_only = 0;

    if (fd >= 0 && ioctl(fd, BLKROGET, &read_only) == 0 && read_only)
        return error_set(err, ERROR_REFUSED,
                         "'%s' is read-only here. If it was a disk of a VM that has moved away, "
                         "and that copy is of no use any more: xmig fence off %s",
                         path, path);
    errno = cause;
    return error_set(err, ERROR_REFUSED, "cannot use '%s': %m", path);
}

/* Exclusively opened, it is neither mounted nor part of anything. */
bool disk_device_check(const struct disk_params *disk, struct error *err)
{
    const char *path = disk->image;
    AUTO_CLOSE int fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return refuse_to_open(path, err);
    if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode))
        return error_set(err, ERROR_REFUSED, "'%s' is not a block device", path);
    if (disk->format && strcmp(disk->format, "raw") != 0)
        return error_set(err, ERROR_REFUSED,
                         "its format is '%s', and a block device takes only raw disks",
                         disk->format);
    return check_size(disk, fd, err) && check_content(disk, fd, err);
}

bool disk_device_exceeds(const struct disk_params *disk)
{
    AUTO_CLOSE int fd = open(disk->image, O_RDONLY | O_CLOEXEC);
    uint64_t size;

    return fd >= 0 && ioctl(fd, BLKGETSIZE64, &size) == 0 && size > disk->size;
}

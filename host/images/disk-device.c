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
#include "host/system/image-users.h"
#include "xmig/cleanup.h"

enum {
    PROBED = 1024 * 1024 /* at either end: there lies what file systems are known by */
};

bool disk_device_is(const char *path)
{
    return !strncmp(path, "/dev/", 5) && strncmp(path, "/dev/shm/", 9) != 0;
}

/* A disk that ends within one of the device's sectors has an end that cannot be written. */
static bool check_sectors(const struct disk_params *disk, int fd, struct error *err)
{
    int sector;

    if (ioctl(fd, BLKSSZGET, &sector) < 0)
        return true;
    if (disk->sector != 0 && (uint64_t)sector > disk->sector)
        return error_set(
            err, ERROR_REFUSED,
            "the sectors of '%s' have %d bytes, and the guest reads and writes such of "
            "%" PRIu64 ": give a device that has these",
            disk->image, sector, disk->sector);
    return disk->size % (uint64_t)sector == 0 ||
           error_set(err, ERROR_REFUSED,
                     "the disk has %" PRIu64 " bytes, which are no whole sectors of '%s' (%d "
                     "bytes each): give a device that has smaller ones, or an image file",
                     disk->size, disk->image, sector);
}

/* A volume has whole extents, and need not come out right: a larger one serves. */
static bool check_size(const struct disk_params *disk, bool by_mapping, int fd, struct error *err)
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
    return size == wanted || !by_mapping || disk_mapping_check(err) ||
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

/* A device that a fence has made read-only stays so until a person says `xmig fence off`. Linux may
 * open it for writing all the same.
 */
static bool check_writable(const char *path, int fd, struct error *err)
{
    int read_only = 0;

    return ioctl(fd, BLKROGET, &read_only) < 0 || !read_only ||
           error_set(err, ERROR_REFUSED,
                     "'%s' is read-only here. If it was a disk of a VM that has moved away, "
                     "and that copy is of no use any more: xmig fence off %s",
                     path, path);
}

static bool refuse_to_open(const char *path, struct error *err)
{
    int cause = errno;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0 && !check_writable(path, fd, err))
        return false;
    errno = cause;
    return error_set(err, ERROR_REFUSED, "cannot use '%s': %m", path);
}

/* ---- who else has it ---- */

struct looking {
    const char *path;
    struct error *err;
    bool found;
};

static void refuse_other(void *arg, const struct image_user *other)
{
    struct looking *looking = arg;

    looking->found = true;
    error_set(looking->err, ERROR_REFUSED, "'%s' is open for writing by %s of the target",
              looking->path, other->who);
}

/* A program like QEMU opens a device without saying that it wants it for itself. */
static bool check_unused(const char *path, const struct stat *st, struct error *err)
{
    struct image_identity image = image_identity(st);
    struct image_users_search search = { .images = &image,
                                         .image_count = 1,
                                         .id = path, /* of no migration's */
                                         .leaves_kernel_out = true };
    struct looking looking = { .path = path, .err = err };

    image_users_each(&search, refuse_other, &looking);
    return !looking.found;
}

int disk_device_hold(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);

    if (fd < 0)
        error_set(err, ERROR_SYSTEM, "cannot have '%s' for ourselves: %m", path);
    return fd;
}

/* Exclusively opened, it is neither mounted nor part of anything. */
bool disk_device_check(const struct disk_params *disk, bool by_mapping, struct error *err)
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
    return check_writable(path, fd, err) && check_unused(path, &st, err) &&
           check_size(disk, by_mapping, fd, err) && check_sectors(disk, fd, err) &&
           check_content(disk, fd, err);
}

bool disk_device_exceeds(const struct disk_params *disk)
{
    AUTO_CLOSE int fd = open(disk->image, O_RDONLY | O_CLOEXEC);
    uint64_t size;

    return fd >= 0 && ioctl(fd, BLKGETSIZE64, &size) == 0 && size > disk->size;
}

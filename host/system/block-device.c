/* A block device's name may lead to another one by now, and its numbers may be another one's: the
 * kernel counts the disks that it meets, and no two of a boot have the same number.
 */
#include "host/system/block-device.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "xmig/bytes.h"
#include "xmig/cleanup.h"

#ifndef BLKGETDISKSEQ /* Linux 5.15 */
#define BLKGETDISKSEQ _IOR(0x12, 128, uint64_t)
#endif

void block_device_identity(dev_t device, char *identity, size_t size)
{
    static const char *const files[] = { "dm/uuid", "wwid", "device/wwid" };
    char path[128];

    *identity = '\0';
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !*identity; i++) {
        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(device), minor(device),
                 files[i]);
        (void)bytes_read_line(AT_FDCWD, path, identity, size);
    }
}

struct known {
    char numbers[32], identity[256];
    uint64_t sequence; /* 0: the kernel does not count */
};

static bool ask(int fd, struct known *known)
{
    struct stat st;

    *known = (struct known){ 0 };
    if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode))
        return false;
    snprintf(known->numbers, sizeof(known->numbers), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
    block_device_identity(st.st_rdev, known->identity, sizeof(known->identity));
    if (ioctl(fd, BLKGETDISKSEQ, &known->sequence) < 0)
        known->sequence = 0;
    return true;
}

bool block_device_size(const char *path, uint64_t *size, uint64_t *sector, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    int bytes;

    if (fd < 0 || ioctl(fd, BLKGETSIZE64, size) < 0 || ioctl(fd, BLKSSZGET, &bytes) < 0)
        return error_set(err, ERROR_REFUSED, "cannot ask '%s' for its size: %m", path);
    *sector = (uint64_t)bytes;
    return true;
}

bool block_device_add(cJSON *fact, int fd, struct error *err)
{
    struct known known;

    if (!ask(fd, &known))
        return error_set(err, ERROR_SYSTEM, "cannot look at a block device: %m");
    cJSON_AddStringToObject(fact, "device", known.numbers);
    cJSON_AddStringToObject(fact, "identity", known.identity);
    json_add_uint(fact, "sequence", known.sequence);
    return true;
}

bool block_device_has(const char *path, const cJSON *fact)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const char *identity = json_string_or(fact, "identity", "");
    struct known known;

    if (fd < 0 || !ask(fd, &known) || strcmp(identity, known.identity) != 0)
        return false;
    return *identity || (!strcmp(json_string_or(fact, "device", ""), known.numbers) &&
                         json_uint_or(fact, "sequence", 0) == known.sequence);
}

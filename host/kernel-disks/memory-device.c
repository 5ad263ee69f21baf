/* A sealed memory file, and Linux' loop device with the flag that frees it with its last user. */
#include "host/kernel-disks/memory-device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "xmig/cleanup.h"

enum {
    TRIES = 100 /* somebody else may take the device that the kernel has named */
};

static int make_file(const char *name, uint64_t size, struct error *err)
{
    AUTO_CLOSE int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int cause;

    if (fd < 0)
        return error_set(err, ERROR_SYSTEM, "cannot make a file in memory: %m"), -1;
    cause = posix_fallocate(fd, 0, (off_t)size);
    if (cause) {
        errno = cause;
        error_set(err, ERROR_SYSTEM, "there is no memory for the notes of writes: %m");
        return -1;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot seal a file in memory: %m"), -1;
    return steal_fd(&fd);
}

/* A free loop device with the file in it; -1: errno. */
static int attach(int control, const char *name, int file)
{
    struct loop_config config = { .fd = (unsigned)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR };
    int number = ioctl(control, LOOP_CTL_GET_FREE), fd, cause;
    char path[32];

    if (number < 0)
        return -1;
    snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "%s", name);
    snprintf(path, sizeof(path), "/dev/loop%d", number);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, LOOP_CONFIGURE, &config) == 0)
        return fd;
    cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

static int attach_somewhere(const char *name, int file, struct error *err)
{
    AUTO_CLOSE int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int fd = -1;

    if (control < 0)
        return error_set(
                   err, ERROR_SYSTEM,
                   "cannot open /dev/loop-control (is the kernel's module 'loop' there?): %m"),
               -1;
    for (int i = 0; fd < 0 && i < TRIES; i++) {
        fd = attach(control, name, file);
        if (fd < 0 && errno != EBUSY)
            break;
    }
    if (fd < 0)
        error_set(err, ERROR_SYSTEM, "cannot make a loop device: %m");
    return fd;
}

bool memory_device_open(struct memory_device *memory, const char *name, uint64_t size,
                        struct error *err)
{
    struct stat st;

    *memory = (struct memory_device){ .file = make_file(name, size, err), .device = -1 };
    if (memory->file >= 0)
        memory->device = attach_somewhere(name, memory->file, err);
    if (memory->device < 0 || fstat(memory->device, &st) < 0) {
        memory_device_close(memory);
        return false;
    }
    memory->number = st.st_rdev;
    return true;
}

void memory_device_release(struct memory_device *memory)
{
    if (memory->device >= 0)
        close(memory->device);
    memory->device = -1;
}

void memory_device_close(struct memory_device *memory)
{
    memory_device_release(memory);
    if (memory->file >= 0)
        close(memory->file);
    memory->file = -1;
}

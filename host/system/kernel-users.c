/* Looking through /sys and the mounts for what the kernel makes of an image. */
#include "host/system/kernel-users.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "xmig/bytes.h"
#include "xmig/cleanup.h"

struct looking {
    const struct image_users_search *search;
    void (*each)(void *arg, const struct image_user *other);
    void *arg;
    int sys;
};

static DIR *open_dir(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *opened = fd < 0 ? NULL : fdopendir(fd);

    if (!opened)
        cleanup_close(&fd);
    return opened;
}

static bool is_read_only(int device)
{
    char line[8];

    return !strcmp(bytes_read_line(device, "ro", line, sizeof(line)), "1");
}

static uint64_t number_of(int device)
{
    char line[32];
    unsigned major_number, minor_number;

    if (sscanf(bytes_read_line(device, "dev", line, sizeof(line)), "%u:%u", &major_number,
               &minor_number) != 2)
        return 0;
    return makedev(major_number, minor_number);
}

static void tell(const struct looking *looking, size_t image, uint64_t number, const char *what,
                 const char *name)
{
    struct image_user other = { .start_time = number, .image = image, .has_image = true };

    snprintf(other.who, sizeof(other.who), "the kernel (%s '%s')", what, name);
    looking->each(looking->arg, &other);
}

/* ---- loop devices ---- */

static void look_at_loop(const struct looking *looking, int device, const char *name)
{
    const struct image_users_search *search = looking->search;
    struct image_identity beneath;
    char path[4096];
    struct stat st;

    if (!*bytes_read_line(device, "loop/backing_file", path, sizeof(path)) || stat(path, &st) < 0 ||
        is_read_only(device))
        return;
    beneath = image_identity(&st);
    for (size_t i = 0; i < search->image_count; i++)
        if (image_is_same(&search->images[i], &beneath))
            tell(looking, i, number_of(device), "loop device", name);
}

static void look_at_loops(const struct looking *looking)
{
    DIR *dir = open_dir(looking->sys, "block");
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        AUTO_CLOSE int device = -1;

        if (strncmp(entry->d_name, "loop", 4))
            continue;
        device = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (device >= 0)
            look_at_loop(looking, device, entry->d_name);
    }
    if (dir)
        closedir(dir);
}

/* ---- what is made of a block device, or of one of its partitions ---- */

static void look_at_holders(const struct looking *looking, size_t image, int device)
{
    DIR *dir = open_dir(device, "holders");
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        AUTO_CLOSE int holder = -1;

        if (*entry->d_name == '.')
            continue;
        holder = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (holder >= 0 && !is_read_only(holder))
            tell(looking, image, number_of(holder), "device", entry->d_name);
    }
    if (dir)
        closedir(dir);
}

static int open_device(const struct looking *looking, uint64_t number)
{
    char path[64];

    snprintf(path, sizeof(path), "dev/block/%u:%u", major(number), minor(number));
    return openat(looking->sys, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool is_partition(int device)
{
    return faccessat(device, "partition", F_OK, 0) == 0;
}

static void look_at_device(const struct looking *looking, size_t image)
{
    AUTO_CLOSE int device = open_device(looking, looking->search->images[image].device);
    DIR *dir = device < 0 ? NULL : open_dir(device, ".");
    const struct dirent *entry;

    if (device >= 0)
        look_at_holders(looking, image, device);
    while (dir && (entry = readdir(dir))) {
        AUTO_CLOSE int part = -1;

        if (*entry->d_name == '.' || entry->d_type != DT_DIR)
            continue;
        part = openat(device, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (part >= 0 && is_partition(part))
            look_at_holders(looking, image, part);
    }
    if (dir)
        closedir(dir);
}

/* ---- file systems ---- */

/* Is it the device `number`, or a partition of it? */
static bool is_on(const struct looking *looking, uint64_t used, uint64_t number)
{
    AUTO_CLOSE int device = used == number ? -1 : open_device(looking, used);
    AUTO_CLOSE int whole = -1;

    if (used == number || device < 0 || !is_partition(device))
        return used == number;
    whole = openat(device, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return whole >= 0 && number_of(whole) == number;
}

/* A line ends "… MOUNT-POINT … - TYPE SOURCE OPTIONS". */
static void look_at_mount(const struct looking *looking, const char *line)
{
    const struct image_users_search *search = looking->search;
    const char *rest = strstr(line, " - ");
    char point[1024], source[1024], options[1024];
    struct stat st;

    if (!rest || sscanf(line, "%*d %*d %*s %*s %1023s", point) != 1 ||
        sscanf(rest, " - %*s %1023s %1023s", source, options) != 2 || strncmp(options, "rw", 2) ||
        *source != '/' || stat(source, &st) < 0 || !S_ISBLK(st.st_mode))
        return;
    for (size_t i = 0; i < search->image_count; i++)
        if (!search->images[i].inode && is_on(looking, st.st_rdev, search->images[i].device))
            tell(looking, i, st.st_rdev, "mounted at", point);
}

static void look_at_mounts(const struct looking *looking)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    AUTO_FREE char *line = NULL;
    size_t size = 0;

    while (file && getline(&line, &size, file) > 0)
        look_at_mount(looking, line);
    if (file)
        fclose(file);
}

void kernel_users_each(const struct image_users_search *search,
                       void (*each)(void *arg, const struct image_user *other), void *arg)
{
    AUTO_CLOSE int sys =
        open(search->sys ? search->sys : "/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct looking looking = { search, each, arg, sys };

    if (sys < 0 || search->image_count == 0)
        return;
    look_at_loops(&looking);
    for (size_t i = 0; i < search->image_count; i++)
        if (!search->images[i].inode)
            look_at_device(&looking, i);
    look_at_mounts(&looking);
}

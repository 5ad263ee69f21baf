/* The files that a QEMU has open, read from /proc/PID/fd. */
#include "host/images/open-files.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "host/system/mounts.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

/* ---- reading ---- */

static char *fd_path(pid_t pid, int fd)
{
    return formatted("/proc/%d/fd/%d", (int)pid, fd);
}

static bool is_found_at(const char *path, const struct image_identity *identity)
{
    struct image_identity found;
    struct stat st;

    if (!path || stat(path, &st) < 0)
        return false;
    found = image_identity(&st);
    return image_is_same(&found, identity);
}

/* The file's path in our mount namespace, if it still leads to the file; else NULL. */
static char *find_name(pid_t pid, const struct open_file *file)
{
    char *here;

    if (is_found_at(file->called, &file->identity))
        return must(strdup(file->called));
    here = mount_path_here(pid, file->fd, file->called);
    if (is_found_at(here, &file->identity))
        return here;
    free(here);
    return NULL;
}

/* The size that the guest sees: from a qcow2 header, else that of the device or file. */
static uint64_t virtual_size(const char *path, const struct stat *st)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    uint64_t header[4];
    uint64_t size;

    if (fd >= 0 && pread(fd, header, sizeof(header), 0) == sizeof(header) &&
        !memcmp(header, "QFI\xfb", 4))
        return be64toh(header[3]);
    if (fd >= 0 && S_ISBLK(st->st_mode) && ioctl(fd, BLKGETSIZE64, &size) == 0)
        return size;
    return (uint64_t)st->st_size;
}

static struct open_file *find(struct open_files *files, const struct image_identity *identity)
{
    for (size_t i = 0; i < files->count; i++)
        if (image_is_same(&files->files[i].identity, identity))
            return &files->files[i];
    return NULL;
}

static void add_file(struct open_files *files, int fd, const char *path, const struct stat *st)
{
    static const char deleted[] = " (deleted)";
    char called[PATH_MAX];
    ssize_t len = readlink(path, called, sizeof(called) - 1);
    struct open_file file = { .fd = fd,
                              .identity = image_identity(st),
                              .size = virtual_size(path, st),
                              .deleted = st->st_nlink == 0 };

    called[len > 0 ? len : 0] = '\0';
    if (file.deleted && (size_t)len > strlen(deleted))
        called[(size_t)len - strlen(deleted)] = '\0';
    file.called = must(strdup(called));
    file.name = file.deleted ? NULL : find_name(files->pid, &file);
    files->files = must(realloc(files->files, (files->count + 1) * sizeof(file)));
    files->files[files->count++] = file;
}

static void add_descriptor(struct open_files *files, int fd)
{
    AUTO_FREE char *path = fd_path(files->pid, fd);
    struct image_identity identity;
    struct stat st, link;

    if (stat(path, &st) < 0 || lstat(path, &link) < 0 ||
        (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
        return;
    identity = image_identity(&st);
    if (!find(files, &identity))
        add_file(files, fd, path, &st);
    if (link.st_mode & S_IWUSR)
        find(files, &identity)->writable = true;
}

void open_files_read(pid_t pid, const char *cwd, struct open_files *files)
{
    const struct dirent *entry;
    DIR *dir;
    AUTO_FREE char *path = formatted("/proc/%d/fd", (int)pid);

    *files = (struct open_files){ .pid = pid, .cwd = must(strdup(cwd)) };
    dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        if (*entry->d_name != '.')
            add_descriptor(files, (int)strtol(entry->d_name, NULL, 10));
    if (dir)
        closedir(dir);
}

void open_files_done(struct open_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->files[i].name);
        free(files->files[i].called);
    }
    free(files->files);
    free(files->cwd);
    *files = (struct open_files){ 0 };
}

/* ---- finding ---- */

/* Mark a file as one disk's image, so that no other disk is matched with it by likeness. */
static struct open_file *claim(struct open_file *file)
{
    if (file)
        file->claimed = true;
    return file;
}

/* Translate QEMU's `name` to a path for us: "self" in it, its root and its cwd are QEMU's. */
static char *path_for(const struct open_files *files, const char *name)
{
    char *path;
    int fd;

    if (sscanf(name, "/proc/self/fd/%d", &fd) == 1 || sscanf(name, "/dev/fd/%d", &fd) == 1)
        return fd_path(files->pid, fd);
    path = formatted("/proc/%d/root/%s%s%s", (int)files->pid, *name == '/' ? "" : files->cwd,
                     *name == '/' ? "" : "/", name);
    return path;
}

struct open_file *open_files_by_name(struct open_files *files, const char *name)
{
    AUTO_FREE char *path = path_for(files, name);
    struct image_identity identity;
    struct stat st;

    if (stat(path, &st) < 0)
        return NULL;
    identity = image_identity(&st);
    return claim(find(files, &identity));
}

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash ? slash + 1 : name;
}

static bool has_last_part(const struct open_file *file, const char *name)
{
    return !strcmp(last_part(file->name ? file->name : file->called), last_part(name));
}

/* Sizes are compared in sectors, to which QEMU rounds an image's size. */
static bool has_size(const struct open_file *file, uint64_t size)
{
    enum {
        SECTOR = 512
    };

    return (file->size + SECTOR - 1) / SECTOR == (size + SECTOR - 1) / SECTOR;
}

static struct open_file *only_one(struct open_files *files, const char *name, uint64_t size,
                                  bool writable)
{
    struct open_file *found = NULL;

    for (size_t i = 0; i < files->count; i++) {
        struct open_file *file = &files->files[i];

        if (file->claimed || file->writable != writable)
            continue;
        if (name ? !has_last_part(file, name) : !has_size(file, size))
            continue;
        if (found)
            return NULL;
        found = file;
    }
    return found;
}

struct open_file *open_files_by_likeness(struct open_files *files, const char *name, uint64_t size,
                                         bool writable)
{
    struct open_file *file = only_one(files, name, size, writable);

    return claim(file ? file : only_one(files, NULL, size, writable));
}

/* Looking through /proc for who else runs a VM, or has its images open for writing. */
#include "host/system/image-users.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "host/system/kernel-users.h"
#include "xmig/bytes.h"
#include "xmig/cleanup.h"
#include "xmig/process.h"

/* The command line; the caller frees it. Empty: of a thread of the kernel's, or of a program that
 * is just being loaded.
 */
static char *read_line(int process, size_t *len)
{
    AUTO_CLOSE int fd = openat(process, "cmdline", O_RDONLY | O_CLOEXEC);

    return bytes_read_all(fd, len);
}

/* A descriptor's link has the rights with which the file was opened. */
static bool may_write(int fds, const char *name)
{
    struct stat st;

    return fstatat(fds, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IWUSR);
}

static bool find_image(const struct image_users_search *search, int fds, const char *name,
                       size_t *image)
{
    struct image_identity opened;
    struct stat st;

    if (fstatat(fds, name, &st, 0) < 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
        return false;
    opened = image_identity(&st);
    for (size_t i = 0; i < search->image_count; i++)
        if (image_is_same(&search->images[i], &opened)) {
            *image = i;
            return may_write(fds, name);
        }
    return false;
}

static bool has_image(const struct image_users_search *search, int process, size_t *image)
{
    int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    bool found = false;

    if (!dir) {
        cleanup_close(&fd);
        return false;
    }
    while (!found && (entry = readdir(dir)))
        if (*entry->d_name != '.')
            found = find_image(search, dirfd(dir), entry->d_name, image);
    closedir(dir);
    return found;
}

/* The target's copy on this very machine: its monitor's socket is in the migration's directory. */
static bool is_targets(const struct image_users_search *search, const char *line, size_t len)
{
    char mark[64];
    int mark_len = snprintf(mark, sizeof(mark), "/%s/", search->id);

    return memmem(line, len, mark, (size_t)mark_len) != NULL;
}

/* The second of the four numbers, the effective one. Who owns the directory says less: of a process
 * that keeps others from looking at it, the superuser does.
 */
static bool read_uid(int process, uid_t *uid)
{
    AUTO_CLOSE int fd = openat(process, "status", O_RDONLY | O_CLOEXEC);
    char text[4096];
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    const char *line;

    text[len > 0 ? len : 0] = '\0';
    line = strstr(text, "\nUid:");
    return line && sscanf(line, " Uid: %*u %u", uid) == 1;
}

static bool is_copy(const struct image_users_search *search, int process, const char *line,
                    size_t len)
{
    struct other_process found = { .line = line, .len = len };
    char exe[PATH_MAX];
    ssize_t exe_len;

    if (!search->is_copy || len == 0 || !read_uid(process, &found.uid))
        return false;
    exe_len = readlinkat(process, "exe", exe, sizeof(exe) - 1);
    if (exe_len > 0) {
        exe[exe_len] = '\0';
        found.exe = exe;
    }
    return search->is_copy(search->arg, &found);
}

static void look_at(const struct image_users_search *search, int proc, const char *name,
                    void (*each)(void *arg, const struct image_user *other), void *arg)
{
    struct image_user other = { .pid = (pid_t)strtol(name, NULL, 10) };
    AUTO_CLOSE int process = -1;
    AUTO_FREE char *line = NULL;
    size_t len;

    if (other.pid <= 0 || other.pid == search->own || other.pid == getpid())
        return;
    process = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    line = process < 0 ? NULL : read_line(process, &len);
    if (!line)
        return;
    snprintf(other.who, sizeof(other.who), "process %d (%s)", (int)other.pid, *line ? line : "?");
    other.is_copy = is_copy(search, process, line, len);
    other.has_image = search->image_count > 0 && has_image(search, process, &other.image);
    if ((!other.is_copy && !other.has_image) || is_targets(search, line, len))
        return;
    other.start_time = process_start_time(other.pid);
    if (other.start_time)
        each(arg, &other);
}

void image_users_each(const struct image_users_search *search,
                      void (*each)(void *arg, const struct image_user *other), void *arg)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;

    while (proc && (entry = readdir(proc)))
        look_at(search, dirfd(proc), entry->d_name, each, arg);
    if (proc)
        closedir(proc);
    if (!search->leaves_kernel_out)
        kernel_users_each(search, each, arg);
}

struct found {
    char *who;
    size_t size;
    bool any;
};

static void take_first(void *arg, const struct image_user *other)
{
    struct found *found = arg;

    if (found->any || !other->is_copy || !other->has_image)
        return;
    found->any = true;
    snprintf(found->who, found->size, "%s", other->who);
}

bool image_users_find_copy(const struct image_users_search *search, char *who, size_t size)
{
    struct found found = { who, size, false };

    image_users_each(search, take_first, &found);
    return found.any;
}

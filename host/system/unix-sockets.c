/* /proc/net/unix lists sockets by the names under which they were made, which may be relative to
 * the directory of whoever made them.
 */
#include "host/system/unix-sockets.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xmig/cleanup.h"
#include "xmig/process.h"
#include "xmig/text.h"

enum {
    LISTENS = 0x10000 /* among the flags */
};

struct named_socket {
    unsigned long inode;
    unsigned flags;
    char path[PATH_MAX];
};

static bool read_socket(const char *line, struct named_socket *sock)
{
    return sscanf(line, "%*s %*s %*s %x %*s %*s %lu %4095[^\n]", &sock->flags, &sock->inode,
                  sock->path) == 3;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Call `is_it` for each socket with the last part of the name, until it returns true. */
static bool find(const char *path, bool (*is_it)(void *arg, const struct named_socket *sock),
                 void *arg)
{
    FILE *file = fopen("/proc/net/unix", "re");
    AUTO_FREE char *line = NULL;
    struct named_socket sock;
    size_t size = 0;
    bool found = false;

    while (file && !found && getline(&line, &size, file) > 0)
        found = read_socket(line, &sock) && !strcmp(last_part(sock.path), last_part(path)) &&
                is_it(arg, &sock);
    if (file)
        fclose(file);
    return found;
}

struct looking {
    const char *path;
    const struct named_socket *sock;
    pid_t pid;
};

static bool has_descriptor(pid_t pid, unsigned long inode)
{
    AUTO_FREE char *folder = formatted("/proc/%d/fd", (int)pid);
    AUTO_FREE char *wanted = formatted("socket:[%lu]", inode);
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    char link[64];
    bool has = false;

    while (dir && !has && (entry = readdir(dir))) {
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

        link[len > 0 ? len : 0] = '\0';
        has = !strcmp(link, wanted);
    }
    if (dir)
        closedir(dir);
    return has;
}

/* Does the name, from the process's directory, lead to the file that we mean? */
static bool leads_there(pid_t pid, const char *name, const char *path)
{
    AUTO_FREE char *there = *name == '/' ? formatted("/proc/%d/root%s", (int)pid, name)
                                         : formatted("/proc/%d/cwd/%s", (int)pid, name);
    struct stat one, other;

    return stat(there, &one) == 0 && stat(path, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

static bool is_owner(void *arg, pid_t pid)
{
    const struct looking *looking = arg;

    return has_descriptor(pid, looking->sock->inode) &&
           leads_there(pid, looking->sock->path, looking->path);
}

static bool find_owner(void *arg, const struct named_socket *sock)
{
    struct looking *looking = arg;

    looking->sock = sock;
    looking->pid = process_find(is_owner, looking);
    return looking->pid != 0;
}

pid_t unix_socket_owner(const char *path)
{
    struct looking looking = { .path = path };

    find(path, find_owner, &looking);
    return looking.pid;
}

static bool listens(void *arg, const struct named_socket *sock)
{
    return (sock->flags & LISTENS) && !strcmp(sock->path, arg);
}

bool unix_socket_is_listened_at(const char *path)
{
    return find(path, listens, (void *)path);
}

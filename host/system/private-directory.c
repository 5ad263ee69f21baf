/* Directories that are nobody else's. */
#include "host/system/private-directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "xmig/cleanup.h"
#include "xmig/paths.h"

static bool is_trusted(uid_t owner, uid_t user)
{
    return owner == 0 || owner == geteuid() || owner == user;
}

/* A group's members are whom the owner lets in. */
static bool others_may_write(const struct stat *st)
{
    return (st->st_mode & S_IWOTH) && !(st->st_mode & S_ISVTX);
}

static bool check_directory(int fd, const char *path, uid_t user, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot look at '%s': %m", path);
    if (!is_trusted(st.st_uid, user))
        return error_set(err, ERROR_REFUSED,
                         "the directory '%s' is user %u's, who could put another file in the place "
                         "of one that is made there: name another directory",
                         path, (unsigned)st.st_uid);
    if (others_may_write(&st))
        return error_set(err, ERROR_REFUSED,
                         "others may write in the directory '%s' (mode %04o): take that right away "
                         "(chmod o-w), or name another directory",
                         path, st.st_mode & 07777);
    return true;
}

/* The links on the way, as it was said. */
static bool check_links(const char *path, uid_t user, struct error *err)
{
    for (size_t end = 1; path[end - 1]; end++) {
        AUTO_FREE char *prefix = NULL;
        struct stat st;

        end += strcspn(path + end, "/");
        prefix = must(strndup(path, end));
        if (lstat(prefix, &st) == 0 && S_ISLNK(st.st_mode) && !is_trusted(st.st_uid, user))
            return error_set(err, ERROR_REFUSED,
                             "the link '%s' is user %u's, who chooses where it leads: name another "
                             "directory",
                             prefix, (unsigned)st.st_uid);
        if (!path[end])
            break;
    }
    return true;
}

/* Down the real path, one name after the other. */
static int walk(char *path, uid_t user, struct error *err)
{
    AUTO_CLOSE int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    char *rest = path + 1;

    if (!check_directory(fd, "/", user, err))
        return -1;
    while (rest && *rest) {
        const char *name = strsep(&rest, "/");
        int next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (next < 0) {
            error_set(err, ERROR_REFUSED, "cannot open the directory '%s': %m", path);
            return -1;
        }
        close(fd);
        fd = next;
        if (!check_directory(fd, path, user, err))
            return -1;
        if (rest)
            rest[-1] = '/';
    }
    return steal_fd(&fd);
}

int private_directory_open(const char *path, uid_t user, struct error *err)
{
    AUTO_FREE char *real = NULL;

    if (*path != '/' || !check_links(path, user, err)) {
        if (*path != '/')
            error_set(err, ERROR_REFUSED, "'%s' is no absolute path", path);
        return -1;
    }
    real = realpath(path, NULL);
    if (!real) {
        error_set(err, ERROR_REFUSED, "there is no directory '%s' at the target: %m", path);
        return -1;
    }
    return walk(real, user, err);
}

bool private_directory_permits(const char *path, uid_t user, mode_t type, struct error *err)
{
    AUTO_FREE char *directory = path_directory(path);
    AUTO_CLOSE int fd = private_directory_open(directory, user, err);
    const char *slash = strrchr(path, '/');
    struct stat st;

    if (fd < 0)
        return error_prefix(err, "'%s'", path);
    if (fstatat(fd, slash + 1, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || error_set(err, ERROR_REFUSED, "cannot look at '%s': %m", path);
    if (type == S_IFREG && S_ISCHR(st.st_mode))
        return true;
    if ((st.st_mode & S_IFMT) != type)
        return error_set(err, ERROR_REFUSED, "'%s' is there already, and is no %s: move it away",
                         path,
                         type == S_IFSOCK  ? "socket"
                         : type == S_IFIFO ? "named pipe"
                                           : "regular file");
    return is_trusted(st.st_uid, user) ||
           error_set(err, ERROR_REFUSED, "'%s' is there already, and is user %u's", path,
                     (unsigned)st.st_uid);
}
